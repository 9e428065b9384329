/* The few system calls of the front. Each returns what the kernel does: a result, or -errno. */
#pragma once

#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/resource.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/uio.h>
#include <linux/un.h>
#include <stdbool.h>
#include <stddef.h>

#include "arch.h"
#include "text.h"

/* Not among the kernel's headers for programs. Source: include/linux/socket.h, include/linux/net.h. */
#define AF_UNIX 1
#define SOCK_STREAM 1
#define SOCK_NONBLOCK O_NONBLOCK
#define SOCK_CLOEXEC O_CLOEXEC
#define MSG_NOSIGNAL 0x4000
#define SHUT_RD 0
#define SHUT_WR 1
/* Source: include/uapi/asm-generic/signal.h, signal-defs.h. */
#define SIGPIPE 13
#define IGNORED_SIGNAL ((void (*)(int))1)
/* Source: include/uapi/linux/fs.h. */
#define SEEK_SET 0

#define STDIN 0
#define STDOUT 1
#define STDERR 2

static inline long read_some(int fd, void *buffer, unsigned long size) {
  return system_call(__NR_read, fd, (long)buffer, (long)size, 0, 0, 0);
}

static inline long read_at(int fd, void *buffer, unsigned long size, unsigned long offset) {
  return system_call(__NR_pread64, fd, (long)buffer, (long)size, (long)offset, 0, 0);
}

static inline long write_some(int fd, const void *bytes, unsigned long size) {
  return system_call(__NR_write, fd, (long)bytes, (long)size, 0, 0, 0);
}

static inline long open_to_read(const char *path) {
  return system_call(__NR_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
}

static inline long close_fd(int fd) { return system_call(__NR_close, fd, 0, 0, 0, 0, 0); }

static inline long duplicate_to(int fd, int target) {
  return system_call(__NR_dup3, fd, target, 0, 0, 0, 0);
}

static inline long rewind_fd(int fd) { return system_call(__NR_lseek, fd, 0, SEEK_SET, 0, 0, 0); }

static inline long create_memory_file(const char *name) {
  return system_call(__NR_memfd_create, (long)name, MFD_CLOEXEC, 0, 0, 0, 0);
}

static inline long map(void *at, unsigned long size, int protection, int flags, int fd,
                       unsigned long offset) {
  return system_call(__NR_mmap, (long)at, (long)size, protection, flags, fd, (long)offset);
}

/* Null when there is no memory. It is zero, and costs nothing before it is touched. */
static inline void *map_memory(unsigned long size) {
  long at = map(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return at < 0 && at > -4096 ? NULL : (void *)at;
}

static inline long unmap(void *at, unsigned long size) {
  return system_call(__NR_munmap, (long)at, (long)size, 0, 0, 0, 0);
}

static inline long protect(void *at, unsigned long size, int protection) {
  return system_call(__NR_mprotect, (long)at, (long)size, protection, 0, 0, 0);
}

/* Copies memory of this process. Where nothing is, -EFAULT, or less than `size`, instead of a signal. */
static inline long read_memory(void *to, const void *from, unsigned long size) {
  struct iovec local = {to, size};
  struct iovec remote = {(void *)from, size};
  long self = system_call(__NR_getpid, 0, 0, 0, 0, 0, 0);
  return system_call(__NR_process_vm_readv, self, (long)&local, 1, (long)&remote, 1, 0);
}

/* `resource`: one of RLIMIT_*, of this process. */
static inline long read_limit(int resource, struct rlimit64 *limit) {
  return system_call(__NR_prlimit64, 0, resource, 0, (long)limit, 0, 0);
}

static inline long set_limit(int resource, const struct rlimit64 *limit) {
  return system_call(__NR_prlimit64, 0, resource, (long)limit, 0, 0, 0);
}

static inline long open_unix_socket(void) {
  return system_call(__NR_socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 0, 0, 0);
}

static inline long connect_to(int fd, const struct sockaddr_un *address, unsigned long size) {
  return system_call(__NR_connect, fd, (long)address, (long)size, 0, 0, 0);
}

static inline long send_some(int fd, const void *bytes, unsigned long size) {
  return system_call(__NR_sendto, fd, (long)bytes, (long)size, MSG_NOSIGNAL, 0, 0);
}

static inline long receive_some(int fd, void *buffer, unsigned long size) {
  return system_call(__NR_recvfrom, fd, (long)buffer, (long)size, 0, 0, 0);
}

static inline long shut_down_receiving(int fd) {
  return system_call(__NR_shutdown, fd, SHUT_RD, 0, 0, 0, 0);
}

static inline long shut_down_sending(int fd) {
  return system_call(__NR_shutdown, fd, SHUT_WR, 0, 0, 0, 0);
}

/* Milliseconds on the monotonic clock. */
static inline long now_ms(void) {
  struct __kernel_timespec time;
  system_call(__NR_clock_gettime, CLOCK_MONOTONIC, (long)&time, 0, 0, 0, 0);
  return (long)(time.tv_sec * 1000 + time.tv_nsec / 1000000);
}

/* Waits for `events` of `fd`; for ever when `timeout_ms` is negative. 0 when the time is over. */
static inline long poll_fd(int fd, short events, long timeout_ms) {
  struct pollfd request = {.fd = fd, .events = events};
  struct __kernel_timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};
  return system_call(__NR_ppoll, (long)&request, 1, timeout_ms < 0 ? 0 : (long)&limit, 0, 0, 0);
}

/* All of it, whether it blocks or not. False when there is nobody who takes it. */
static inline bool write_all(int fd, struct text text) {
  while (text.length > 0) {
    long count = write_some(fd, text.bytes, text.length);
    if (count == -EAGAIN) {
      poll_fd(fd, POLLOUT, -1);
    } else if (count != -EINTR) {
      if (count < 0) return false;
      text.bytes += count;
      text.length -= (unsigned long)count;
    }
  }
  return true;
}

/* From now on writing to a pipe without a reader is an error, and no end of the process. */
static inline void ignore_sigpipe(void) {
  /* struct kernel_sigaction: handler, flags, restorer or mask: all zero but the handler. */
  struct {
    void (*handler)(int);
    unsigned long rest[4];
  } action = {IGNORED_SIGNAL, {0}};
  system_call(__NR_rt_sigaction, SIGPIPE, (long)&action, 0, 8, 0, 0);
}

__attribute__((noreturn)) static inline void exit_process(int status) {
  for (;;) system_call(__NR_exit_group, status, 0, 0, 0, 0, 0);
}

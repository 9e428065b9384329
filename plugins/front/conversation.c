/*
 * The one question that matters is whether the worker has begun: before that, the plugin may run elsewhere; afterwards, it must
 * not run twice. The worker says TAKEN right before it begins. A client that gives up earlier shuts its receiving side down
 * first: from then on the kernel refuses the worker's word, and the worker, which then does not begin, knows. A word that came
 * before that counts. Its answer cannot come any more, which to the worker is a client that has gone: it ends what it does,
 * takes an ADD back, and hangs up. That is waited for; then the plugin may run elsewhere, too.
 * Source: net/unix/af_unix.c, unix_stream_sendmsg (RCV_SHUTDOWN of the peer, under its lock), unix_shutdown, and unix_poll
 * (EPOLLHUP when both directions are shut, which the peer's end brings about).
 */
#include "conversation.h"

#include "constants.h"
#include "kernel.h"

/* POLLHUP and POLLERR are told whether they are asked for or not. */
#define NOTHING_BUT_HANGING_UP 0

/* False for what is no path of a socket. */
static bool connect_to_worker(int fd, struct text path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path.length == 0 || path.length >= sizeof address.sun_path) return false;
  for (unsigned long i = 0; i < path.length; i += 1) address.sun_path[i] = (char)path.bytes[i];
  return connect_to(fd, &address, offsetof(struct sockaddr_un, sun_path) + path.length + 1) == 0;
}

/* False when not all of it could be sent at once; the worker then finds a request without an end. */
static bool send_all(int fd, struct text text) {
  while (text.length > 0) {
    long count = send_some(fd, text.bytes, text.length);
    if (count < 0) return false;
    text.bytes += count;
    text.length -= (unsigned long)count;
  }
  return true;
}

/* False when the deadline came first. A signal that interrupts only makes it look at the clock. */
static bool wait_until(int fd, short events, long deadline) {
  for (;;) {
    long left_ms = deadline - now_ms();
    if (poll_fd(fd, events, left_ms > 0 ? left_ms : 0) > 0) return true;
    if (left_ms <= 0) return false;
  }
}

/* Little-endian, as both processors are. */
static unsigned long read_u32(const unsigned char *bytes) {
  return bytes[0] | (unsigned long)bytes[1] << 8 | (unsigned long)bytes[2] << 16 |
         (unsigned long)bytes[3] << 24;
}

/* Bytes of the whole answer with its first byte; 0: not known yet. */
static unsigned long answer_bytes(const unsigned char *answer, unsigned long length) {
  if (length < 1 + ANSWER_PREFIX_BYTES) return 0;
  return 1 + ANSWER_PREFIX_BYTES + read_u32(answer + 5) + read_u32(answer + 9);
}

static void keep_answer(struct conversation *conversation) {
  const unsigned char *prefix = conversation->room + 1;
  conversation->exit_status = (int)read_u32(prefix);
  conversation->output = (struct text){prefix + ANSWER_PREFIX_BYTES, read_u32(prefix + 4)};
  conversation->log = (struct text){conversation->output.bytes + conversation->output.length, read_u32(prefix + 8)};
}

/* Waits for the end of a worker that has been told, by the shut socket, that its answer is not wanted. */
static enum outcome await_hanging_up(int fd, long deadline) {
  return wait_until(fd, NOTHING_BUT_HANGING_UP, deadline) ? UNTAKEN : TIMED_OUT;
}

static enum outcome await_answer(int fd, struct conversation *conversation) {
  long deadline = now_ms() + conversation->start_limit_ms;
  bool is_shut = false;
  for (unsigned long length = 0;;) {
    if (!wait_until(fd, POLLIN, deadline)) {
      if (length > 0) return TIMED_OUT;
      /* What came in the last moment is read below; after it there is only the end. */
      is_shut = true;
      shut_down_receiving(fd);
    }
    unsigned char *space = conversation->room + length;
    long count = receive_some(fd, space, 1 + LONGEST_ANSWER_BYTES - length);
    if (count <= 0 && length > 0) return is_shut ? await_hanging_up(fd, deadline) : LOST;
    if (count <= 0) return UNTAKEN;
    if (length == 0 && space[0] == DECLINED) return UNTAKEN;
    if (length == 0) deadline = now_ms() + conversation->limit_ms;
    length += (unsigned long)count;
    unsigned long whole = answer_bytes(conversation->room, length);
    if (whole > 1 + LONGEST_ANSWER_BYTES) return LOST;
    if (whole != length) continue;
    keep_answer(conversation);
    return ANSWERED;
  }
}

enum outcome converse(struct conversation *conversation) {
  int fd = (int)open_unix_socket();
  if (fd < 0) return UNTAKEN;
  bool is_asked = connect_to_worker(fd, conversation->socket_path) && send_all(fd, conversation->request);
  enum outcome outcome = is_asked ? await_answer(fd, conversation) : UNTAKEN;
  conversation->fd = fd;
  if (outcome != ANSWERED) close_fd(fd);
  return outcome;
}

void confirm_receipt(const struct conversation *conversation) {
  unsigned char word = RECEIVED;
  send_some(conversation->fd, &word, sizeof word);
}

void refuse_result(const struct conversation *conversation) {
  shut_down_sending(conversation->fd);
  wait_until(conversation->fd, NOTHING_BUT_HANGING_UP, now_ms() + conversation->limit_ms);
}

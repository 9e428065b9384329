/*
 * The executable is a dynamic one: the kernel would load the dynamic linker that PT_INTERP names beside it, and enter that. The
 * build takes PT_INTERP's type away, so that the kernel enters the front at once; here everything is made as the kernel would
 * have done it. Source: fs/binfmt_elf.c, load_elf_interp, create_elf_tables.
 */
#include "runtime.h"

#include <linux/auxvec.h>
#include <linux/elf.h>

#include "constants.h"
#include "kernel.h"
#include "surroundings.h"
#include "text.h"

#define MOST_SEGMENTS 16

struct interpreter {
  const struct caller *caller;
  int fd;
  unsigned long page;
  Elf64_Ehdr header;
  Elf64_Phdr segments[MOST_SEGMENTS];
  /* What is added to its addresses. */
  unsigned long base;
};

__attribute__((noreturn)) static void give_up(const struct interpreter *interpreter, struct text what) {
  unsigned char room[256];
  struct buffer reason = {room, 0, sizeof room, false};
  add(&reason, what);
  add(&reason, TEXT(" " INTERPRETER));
  fail(interpreter->caller,
       &(struct failure){
           .code = TEXT(CODE_IO_FAILURE),
           .operation = TEXT("start runtime"),
           .reason = {reason.bytes, reason.length},
           .hint = TEXT("install the C library of the distribution (glibc), or give this process more memory"),
       });
}

/* Of the kind that is asked for; null when there is none. */
static unsigned long *auxiliary(unsigned long *stack, unsigned long type) {
  unsigned long *at = stack + 1 + stack[0] + 1;
  while (*at != 0) at += 1;
  for (at += 1; at[0] != AT_NULL; at += 2) {
    if (at[0] == type) return &at[1];
  }
  return NULL;
}

static unsigned long down_to(unsigned long value, unsigned long page) { return value & ~(page - 1); }

static unsigned long up_to(unsigned long value, unsigned long page) { return down_to(value + page - 1, page); }

static void read_headers(struct interpreter *interpreter) {
  Elf64_Ehdr *header = &interpreter->header;
  interpreter->fd = (int)open_to_read(INTERPRETER);
  if (interpreter->fd < 0) give_up(interpreter, TEXT("cannot open"));
  if (read_at(interpreter->fd, header, sizeof *header, 0) != sizeof *header) give_up(interpreter, TEXT("cannot read"));
  unsigned long bytes = header->e_phnum * sizeof(Elf64_Phdr);
  if (header->e_phentsize != sizeof(Elf64_Phdr) || bytes > sizeof interpreter->segments) give_up(interpreter, TEXT("do not understand"));
  if (read_at(interpreter->fd, interpreter->segments, bytes, header->e_phoff) != (long)bytes) give_up(interpreter, TEXT("cannot read"));
}

/* Takes room for all segments together, at any place that is aligned as they want it. */
static void reserve(struct interpreter *interpreter) {
  unsigned long end = 0;
  unsigned long alignment = interpreter->page;
  for (int i = 0; i < interpreter->header.e_phnum; i += 1) {
    const Elf64_Phdr *segment = &interpreter->segments[i];
    if (segment->p_type != PT_LOAD) continue;
    end = up_to(segment->p_vaddr + segment->p_memsz, interpreter->page);
    if (segment->p_align > alignment) alignment = segment->p_align;
  }
  long at = map(NULL, end + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (end == 0 || (at < 0 && at > -4096)) give_up(interpreter, TEXT("no memory for"));
  interpreter->base = up_to((unsigned long)at, alignment);
  unsigned long before = interpreter->base - (unsigned long)at;
  if (before > 0) unmap((void *)at, before);
  if (alignment > before) unmap((void *)(interpreter->base + end), alignment - before);
}

static int protection_of(const Elf64_Phdr *segment) {
  return (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
         (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

/* What the file does not hold is zero: the rest of its last page, and pages of no file. */
static void map_zeros(const struct interpreter *interpreter, const Elf64_Phdr *segment) {
  unsigned long from = interpreter->base + segment->p_vaddr + segment->p_filesz;
  unsigned long end = interpreter->base + segment->p_vaddr + segment->p_memsz;
  unsigned long next_page = up_to(from, interpreter->page);
  for (volatile unsigned char *at = (unsigned char *)from; at < (unsigned char *)next_page; at += 1) *at = 0;
  if (end <= next_page) return;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  if (map((void *)next_page, end - next_page, protection_of(segment), flags, -1, 0) < 0) give_up(interpreter, TEXT("cannot map"));
}

static void map_segment(const struct interpreter *interpreter, const Elf64_Phdr *segment) {
  unsigned long from = down_to(segment->p_vaddr, interpreter->page);
  unsigned long before = segment->p_vaddr - from;
  void *at = (void *)(interpreter->base + from);
  if (map(at, segment->p_filesz + before, protection_of(segment), MAP_PRIVATE | MAP_FIXED, interpreter->fd,
          segment->p_offset - before) < 0) {
    give_up(interpreter, TEXT("cannot map"));
  }
  if (segment->p_memsz > segment->p_filesz) map_zeros(interpreter, segment);
}

static void load(struct interpreter *interpreter) {
  read_headers(interpreter);
  reserve(interpreter);
  for (int i = 0; i < interpreter->header.e_phnum; i += 1) {
    if (interpreter->segments[i].p_type == PT_LOAD) map_segment(interpreter, &interpreter->segments[i]);
  }
  close_fd(interpreter->fd);
}

/* What is added to the addresses of the program: nothing, unless it may lie anywhere. */
static unsigned long bias_of(const Elf64_Phdr *headers) {
  const Elf64_Phdr *header = headers;
  while (header->p_type != PT_PHDR) header += 1;
  return (unsigned long)headers - header->p_vaddr;
}

/* The segment that holds the program headers themselves. */
static const Elf64_Phdr *segment_of_headers(const Elf64_Phdr *headers, unsigned long bias) {
  unsigned long address = (unsigned long)headers - bias;
  const Elf64_Phdr *header = headers;
  while (header->p_type != PT_LOAD || address - header->p_vaddr >= header->p_memsz) header += 1;
  return header;
}

/* The dynamic linker looks for its own name there. */
static void restore_interpreter_header(const struct interpreter *interpreter, Elf64_Phdr *headers, int protection) {
  unsigned long page = interpreter->page;
  Elf64_Phdr *header = &headers[INTERPRETER_HEADER];
  void *first = (void *)down_to((unsigned long)header, page);
  unsigned long size = (unsigned long)(header + 1) - (unsigned long)first;
  if (protect(first, size, PROT_READ | PROT_WRITE) != 0) give_up(interpreter, TEXT("cannot restore the header of"));
  header->p_type = PT_INTERP;
  if (protect(first, size, protection) != 0) give_up(interpreter, TEXT("cannot restore the header of"));
}

void enter_runtime(unsigned long *stack, const struct caller *caller) {
  struct interpreter interpreter;
  interpreter.caller = caller;
  /* The command line's are its own: the agent sets some for its workers. */
  if (caller->plugin.length > 0) forget_runtime_options(stack);
  Elf64_Phdr *headers = (Elf64_Phdr *)*auxiliary(stack, AT_PHDR);
  unsigned long bias = bias_of(headers);
  require_whole_executable(caller, bias);
  require_address_space(caller);
  interpreter.page = *auxiliary(stack, AT_PAGESZ);
  load(&interpreter);
  int protection = protection_of(segment_of_headers(headers, bias));
  restore_interpreter_header(&interpreter, headers, protection);
  *auxiliary(stack, AT_ENTRY) = bias + RUNTIME_ENTRY;
  *auxiliary(stack, AT_BASE) = interpreter.base;
  enter(stack, interpreter.base + interpreter.header.e_entry);
}

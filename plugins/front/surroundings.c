/*
 * The runtime dies without a word of a file that ends too early, and of too little address space; of a file without its program it
 * becomes the runtime's own command line. Who called a plugin wants an error object.
 */
#include "surroundings.h"

#include "constants.h"
#include "kernel.h"

static bool is_payload_there(unsigned long address) {
  unsigned char trailer[sizeof PAYLOAD_TRAILER - 1];
  const unsigned char *end = (const unsigned char *)(address + sizeof(unsigned long) + PAYLOAD_BYTES);
  /* Memory behind the end of the file kills who looks at it; the kernel, asked to look, only says so. */
  long count = read_memory(trailer, end - sizeof trailer, sizeof trailer);
  /* Some sandboxes refuse the question. */
  if (count == -ENOSYS || count == -EPERM || count == -EACCES) return true;
  if (count != sizeof trailer) return false;
  bool is_its_end = is_same((struct text){trailer, sizeof trailer}, TEXT(PAYLOAD_TRAILER));
  /* The payload is behind all else in the file, so what is before its end is there. */
  return is_its_end && *(const volatile unsigned long *)address == PAYLOAD_BYTES;
}

void require_whole_executable(const struct caller *caller, unsigned long bias) {
  if (is_payload_there(bias + PAYLOAD_ADDRESS)) return;
  fail(caller, &(struct failure){
                   .code = TEXT(CODE_IO_FAILURE),
                   .operation = TEXT("start runtime"),
                   .reason = TEXT("its executable is truncated or damaged"),
                   .hint = TEXT("install it anew (build.sh install)"),
               });
}

static void add_kilobytes(struct buffer *buffer, unsigned long bytes) {
  unsigned char digits[20];
  unsigned long count = 0;
  unsigned long rest = bytes / 1024;
  do {
    digits[count] = (unsigned char)('0' + rest % 10);
    count += 1;
    rest /= 10;
  } while (rest > 0);
  while (count > 0) {
    count -= 1;
    add_byte(buffer, digits[count]);
  }
  add(buffer, TEXT(" kB"));
}

void require_address_space(const struct caller *caller) {
  struct rlimit64 limit;
  if (read_limit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur >= RUNTIME_ADDRESS_SPACE) return;
  limit.rlim_cur = limit.rlim_max;
  if (limit.rlim_max >= RUNTIME_ADDRESS_SPACE && set_limit(RLIMIT_AS, &limit) == 0) return;
  unsigned char room[256];
  struct buffer reason = {room, 0, sizeof room, false};
  add(&reason, TEXT("its address space is limited to "));
  add_kilobytes(&reason, limit.rlim_max);
  add(&reason, TEXT(" (RLIMIT_AS), and it needs "));
  add_kilobytes(&reason, RUNTIME_ADDRESS_SPACE);
  fail(caller, &(struct failure){
                   .code = TEXT(CODE_KERNEL_REFUSED),
                   .operation = TEXT("start runtime"),
                   .reason = {reason.bytes, reason.length},
                   .hint = TEXT("raise the hard limit of whoever starts it: ulimit -H -v unlimited, or LimitAS=infinity "
                                "in its unit"),
               });
}

static bool is_runtime_option(const char *entry) {
  struct text prefix = TEXT("BUN_JSC_");
  for (unsigned long i = 0; i < prefix.length; i += 1) {
    if ((unsigned char)entry[i] != prefix.bytes[i]) return false;
  }
  return true;
}

void forget_runtime_options(unsigned long *stack) {
  char **from = (char **)(stack + 1) + stack[0] + 1;
  char **to = from;
  for (; *from != NULL; from += 1) {
    if (is_runtime_option(*from)) continue;
    *to = *from;
    to += 1;
  }
  if (to == from) return;
  *to = NULL;
  /* What follows the environment is looked for right behind it. */
  unsigned long *auxiliary = (unsigned long *)(from + 1);
  unsigned long *moved = (unsigned long *)(to + 1);
  do {
    moved[0] = auxiliary[0];
    moved[1] = auxiliary[1];
    auxiliary += 2;
    moved += 2;
  } while (moved[-2] != 0);
}

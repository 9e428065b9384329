#include "input.h"

#include "constants.h"
#include "kernel.h"

/* Like the reads of libc's callers: interruptions and pipes that do not block are no errors. */
static long read_patiently(unsigned char *room, unsigned long size) {
  for (;;) {
    long count = read_some(STDIN, room, size);
    if (count == -EAGAIN) poll_fd(STDIN, POLLIN, -1);
    else if (count != -EINTR) return count;
  }
}

void read_input(struct input *input) {
  unsigned long length = 0;
  while (length < input->size) {
    long count = read_patiently(input->room + length, input->size - length);
    input->is_whole = count == 0;
    input->is_broken = count < 0;
    if (count <= 0) break;
    length += (unsigned long)count;
  }
  input->text = (struct text){input->room, length};
}

static bool write_to_file(int fd, struct text text) {
  while (text.length > 0) {
    long count = write_some(fd, text.bytes, text.length);
    if (count <= 0) return false;
    text.bytes += count;
    text.length -= (unsigned long)count;
  }
  return true;
}

/* Copies what is left of stdin. An error is for the plugin to meet: it gets what came before. */
static bool copy_rest(int fd, struct input *input) {
  for (unsigned long copied = input->text.length; copied <= LONGEST_INPUT_BYTES;) {
    long count = read_patiently(input->room, input->size);
    if (count <= 0) return true;
    if (!write_to_file(fd, (struct text){input->room, (unsigned long)count})) return false;
    copied += (unsigned long)count;
  }
  return true;
}

bool put_back(struct input *input) {
  /* The next read meets the same end, or the same error. */
  if (input->is_broken || (input->is_whole && input->text.length == 0)) return true;
  int fd = (int)create_memory_file("stdin");
  if (fd < 0) return false;
  bool is_kept = write_to_file(fd, input->text) && (input->is_whole || copy_rest(fd, input)) &&
                 rewind_fd(fd) == 0 && duplicate_to(fd, STDIN) == STDIN;
  close_fd(fd);
  return is_kept;
}

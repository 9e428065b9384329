/* Stdin, which the front reads, and the runtime shall find as if nobody had. */
#pragma once

#include "text.h"

struct input {
  /* What was read. */
  struct text text;
  /* Where there is room for `size` bytes. */
  unsigned char *room;
  unsigned long size;
  /* Whether that is all there is. */
  bool is_whole;
  /* Whether it cannot be read. */
  bool is_broken;
};

/* Reads stdin to its end, or until there is no more room. */
void read_input(struct input *input);

/*
 * Makes stdin a file in memory that holds all that came or comes, up to more than any plugin reads. False when the kernel has
 * nothing to make it of; then stdin is lost.
 */
bool put_back(struct input *input);

/* One request to a resident worker. The other client of the same protocol is lib/resident/conversation.ts. */
#pragma once

#include "text.h"

enum outcome {
  ANSWERED,
  /* No worker began, or what it began is over without effect: the plugin may be run elsewhere. */
  UNTAKEN,
  /* A worker began, and is gone; how far it came is not known. */
  LOST,
  /* A worker began, and did not end in time. */
  TIMED_OUT,
};

struct conversation {
  struct text socket_path;
  struct text request;
  /* Longest wait for a worker that begins, and for its answer then, in milliseconds. */
  long start_limit_ms;
  long limit_ms;
  /* Room for the longest answer and one byte before it. */
  unsigned char *room;
  /* To the worker, after it has answered. */
  int fd;
  /* What was answered. */
  int exit_status;
  struct text output;
  struct text log;
};

/* Connects, asks, waits. An answered conversation stays open until one of the two below. */
enum outcome converse(struct conversation *conversation);

/* Tells the worker that its result was passed on. */
void confirm_receipt(const struct conversation *conversation);

/* Tells the worker that nobody takes its result, and waits until it has taken the attachment back. */
void refuse_result(const struct conversation *conversation);

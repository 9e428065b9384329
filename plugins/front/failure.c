#include "failure.h"

#include "constants.h"
#include "kernel.h"

#define LONGEST_MESSAGE_BYTES 1024

static void add_subject(struct buffer *message, const struct caller *caller, const struct failure *failure) {
  add(message, failure->operation);
  if (caller->plugin.length > 0) add(message, TEXT(" of "));
  add(message, caller->plugin);
  add(message, TEXT(": "));
  add_json_text(message, failure->reason);
}

static void add_error(struct buffer *message, const struct caller *caller, const struct failure *failure) {
  add(message, TEXT("{\"cniVersion\":"));
  add_json_string(message, caller->cni_version);
  add(message, TEXT(",\"code\":"));
  add(message, failure->code);
  add(message, TEXT(",\"msg\":\""));
  add_subject(message, caller, failure);
  add(message, TEXT("\",\"details\":"));
  add_json_string(message, failure->hint);
  add(message, TEXT("}"));
}

static void add_line(struct buffer *message, const struct caller *caller, const struct failure *failure) {
  add(message, TEXT("fairlead: "));
  add_subject(message, caller, failure);
  add(message, TEXT("; "));
  add(message, failure->hint);
  add(message, TEXT("\n"));
}

void fail(const struct caller *caller, const struct failure *failure) {
  unsigned char room[LONGEST_MESSAGE_BYTES];
  struct buffer message = {room, 0, sizeof room, false};
  bool is_plugin = caller->plugin.length > 0;
  if (is_plugin) {
    add_error(&message, caller, failure);
  } else {
    add_line(&message, caller, failure);
  }
  write_all(is_plugin ? STDOUT : STDERR, (struct text){message.bytes, message.length});
  exit_process(1);
}

/* How the front says that there is nobody who could do what was asked for. */
#pragma once

#include "text.h"

/* Who is to hear of it. */
struct caller {
  /* Empty: no plugin, but the command line. */
  struct text plugin;
  /* One of KNOWN_CNI_VERSIONS. */
  struct text cni_version;
};

struct failure {
  /* Of the plugin's error; a number, out of ERROR_TABLE. */
  struct text code;
  struct text operation;
  struct text reason;
  struct text hint;
};

/* An error of CNI on stdout for who called a plugin, else a line on stderr; the exit status is 1. Texts must be plain. */
__attribute__((noreturn)) void fail(const struct caller *caller, const struct failure *failure);

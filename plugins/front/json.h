/* The few values of a network configuration that the front must know. */
#pragma once

#include "text.h"

struct config {
  /* Empty: there is none, or it is no string. Printable ASCII without a quote or a backslash. */
  struct text cni_version;
  /* `ipam.socket`; empty and of such characters as above. */
  struct text ipam_socket;
  /* `ipam.timeoutSeconds`; -1: there is none, or it is no number. */
  long ipam_timeout_seconds;
  bool has_ipam;
  /* Whether there is a byte outside of ASCII anywhere: whether it is good UTF-8 is not looked at. */
  bool is_ascii;
};

/*
 * Reads what is known to be JSON with one meaning. False for anything else, also for what the plugin might well understand:
 * keys in an unusual spelling or given twice, escapes in a value that matters, more levels than anybody nests.
 */
bool read_config(struct text json, struct config *config);

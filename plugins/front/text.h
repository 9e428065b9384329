/* Bytes with a length, and a buffer that they are gathered in. */
#pragma once

#include <stdbool.h>

struct text {
  const unsigned char *bytes;
  unsigned long length;
};

/* For constants only. */
#define TEXT(constant) ((struct text){(const unsigned char *)(constant), sizeof(constant) - 1})

static inline struct text text_of(const char *string) {
  struct text text = {(const unsigned char *)string, 0};
  while (string[text.length] != 0) text.length += 1;
  return text;
}

static inline bool is_same(struct text a, struct text b) {
  if (a.length != b.length) return false;
  for (unsigned long i = 0; i < a.length; i += 1) {
    if (a.bytes[i] != b.bytes[i]) return false;
  }
  return true;
}

static inline unsigned char lower(unsigned char byte) {
  return byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

static inline bool is_same_in_any_case(struct text a, struct text b) {
  if (a.length != b.length) return false;
  for (unsigned long i = 0; i < a.length; i += 1) {
    if (lower(a.bytes[i]) != lower(b.bytes[i])) return false;
  }
  return true;
}

/* What a constant list of strings, each ended by a NUL, holds; the list ends with an empty one. */
static inline bool is_listed(struct text text, const char *list) {
  for (struct text entry = text_of(list); entry.length > 0; entry = text_of(list)) {
    if (is_same(entry, text)) return true;
    list += entry.length + 1;
  }
  return false;
}

/* Printable ASCII: what stands in JSON as it is, but for the quote and the backslash. */
static inline bool is_plain(struct text text) {
  for (unsigned long i = 0; i < text.length; i += 1) {
    if (text.bytes[i] < 0x20 || text.bytes[i] > 0x7e) return false;
  }
  return true;
}

/* A buffer of a fixed size. What does not fit any more makes it `is_full`, and is dropped. */
struct buffer {
  unsigned char *bytes;
  unsigned long length;
  unsigned long size;
  bool is_full;
};

static inline void add_byte(struct buffer *buffer, unsigned char byte) {
  if (buffer->length == buffer->size) {
    buffer->is_full = true;
  } else {
    buffer->bytes[buffer->length] = byte;
    buffer->length += 1;
  }
}

static inline void add(struct buffer *buffer, struct text text) {
  for (unsigned long i = 0; i < text.length; i += 1) add_byte(buffer, text.bytes[i]);
}

/* What stands between the quotes of a string of JSON. `text` must be plain. */
static inline void add_json_text(struct buffer *buffer, struct text text) {
  for (unsigned long i = 0; i < text.length; i += 1) {
    if (text.bytes[i] == '"' || text.bytes[i] == '\\') add_byte(buffer, '\\');
    add_byte(buffer, text.bytes[i]);
  }
}

static inline void add_json_string(struct buffer *buffer, struct text text) {
  add_byte(buffer, '"');
  add_json_text(buffer, text);
  add_byte(buffer, '"');
}

/* A scanner for JSON that keeps three values. Source: RFC 8259. */
#include "json.h"

#include <stddef.h>

#include "constants.h"

struct scanner {
  const unsigned char *at;
  const unsigned char *end;
  int depth;
  bool is_ascii;
};

/* Reads the value of a member. `key` is its name, as it is written. */
typedef bool member_reader(struct scanner *scanner, struct text key, struct config *config);

static bool skip_value(struct scanner *scanner);

/* The next byte; 0, which JSON does not hold, at the end. */
static unsigned char peek(const struct scanner *scanner) {
  return scanner->at < scanner->end ? *scanner->at : 0;
}

static bool take(struct scanner *scanner, unsigned char byte) {
  if (scanner->at == scanner->end || *scanner->at != byte) return false;
  scanner->at += 1;
  return true;
}

static void skip_space(struct scanner *scanner) {
  while (peek(scanner) == ' ' || peek(scanner) == '\t' || peek(scanner) == '\n' || peek(scanner) == '\r') {
    scanner->at += 1;
  }
}

static bool is_digit(unsigned char byte) { return byte >= '0' && byte <= '9'; }

static bool is_hexadecimal(unsigned char byte) {
  return is_digit(byte) || (lower(byte) >= 'a' && lower(byte) <= 'f');
}

static bool skip_escape(struct scanner *scanner) {
  unsigned char kind = peek(scanner);
  scanner->at += 1;
  if (kind == 'u') {
    for (int i = 0; i < 4; i += 1) {
      if (!is_hexadecimal(peek(scanner))) return false;
      scanner->at += 1;
    }
    return true;
  }
  for (const char *kinds = "\"\\/bfnrt"; *kinds != 0; kinds += 1) {
    if (kind == *kinds) return true;
  }
  return false;
}

/* `text` is what stands between the quotes, escapes and all. */
static bool scan_string(struct scanner *scanner, struct text *text, bool *is_escaped) {
  if (!take(scanner, '"')) return false;
  text->bytes = scanner->at;
  *is_escaped = false;
  for (; scanner->at < scanner->end; scanner->at += 1) {
    unsigned char byte = *scanner->at;
    text->length = (unsigned long)(scanner->at - text->bytes);
    if (byte == '"') return take(scanner, '"');
    if (byte < 0x20) return false;
    if (byte > 0x7e) scanner->is_ascii = false;
    if (byte != '\\') continue;
    *is_escaped = true;
    scanner->at += 1;
    if (scanner->at == scanner->end || !skip_escape(scanner)) return false;
    scanner->at -= 1;
  }
  return false;
}

static bool skip_string(struct scanner *scanner) {
  struct text text;
  bool is_escaped;
  return scan_string(scanner, &text, &is_escaped);
}

static bool skip_digits(struct scanner *scanner) {
  if (!is_digit(peek(scanner))) return false;
  while (is_digit(peek(scanner))) scanner->at += 1;
  return true;
}

static bool skip_number(struct scanner *scanner) {
  take(scanner, '-');
  if (!take(scanner, '0') && !skip_digits(scanner)) return false;
  if (take(scanner, '.') && !skip_digits(scanner)) return false;
  if (lower(peek(scanner)) != 'e') return true;
  scanner->at += 1;
  if (!take(scanner, '+')) take(scanner, '-');
  return skip_digits(scanner);
}

static bool skip_word(struct scanner *scanner, const char *word) {
  for (; *word != 0; word += 1) {
    if (!take(scanner, (unsigned char)*word)) return false;
  }
  return true;
}

static bool skip_array(struct scanner *scanner) {
  scanner->at += 1;
  skip_space(scanner);
  if (take(scanner, ']')) return true;
  do {
    if (!skip_value(scanner)) return false;
  } while (take(scanner, ','));
  return take(scanner, ']');
}

static bool read_object(struct scanner *scanner, member_reader *read_member, struct config *config) {
  if (!take(scanner, '{')) return false;
  skip_space(scanner);
  if (take(scanner, '}')) return true;
  do {
    struct text key;
    bool is_escaped;
    skip_space(scanner);
    if (!scan_string(scanner, &key, &is_escaped) || is_escaped) return false;
    skip_space(scanner);
    if (!take(scanner, ':')) return false;
    skip_space(scanner);
    if (!read_member(scanner, key, config)) return false;
    skip_space(scanner);
  } while (take(scanner, ','));
  return take(scanner, '}');
}

static bool skip_member(struct scanner *scanner, struct text key, struct config *config) {
  (void)key;
  (void)config;
  return skip_value(scanner);
}

/* Any value with the space around it. */
static bool skip_value(struct scanner *scanner) {
  if (scanner->depth == DEEPEST_NESTING) return false;
  scanner->depth += 1;
  skip_space(scanner);
  unsigned char first = peek(scanner);
  bool is_good = first == '{'   ? read_object(scanner, skip_member, NULL)
                 : first == '[' ? skip_array(scanner)
                 : first == '"' ? skip_string(scanner)
                 : first == 't' ? skip_word(scanner, "true")
                 : first == 'f' ? skip_word(scanner, "false")
                 : first == 'n' ? skip_word(scanner, "null")
                                : skip_number(scanner);
  skip_space(scanner);
  scanner->depth -= 1;
  return is_good;
}

/* A string that means what is written; what is no string leaves `text` empty. */
static bool read_text(struct scanner *scanner, struct text *text) {
  bool is_escaped;
  if (text->bytes != NULL) return false;
  text->bytes = scanner->at;
  if (peek(scanner) != '"') return skip_value(scanner);
  return scan_string(scanner, text, &is_escaped) && !is_escaped && is_plain(*text);
}

/* A whole number of at most nine digits; what is no number leaves `number` as it is. */
static bool read_whole_number(struct scanner *scanner, long *number) {
  const unsigned char *first = scanner->at;
  if (*number >= 0) return false;
  if (peek(scanner) != '-' && !is_digit(peek(scanner))) return skip_value(scanner);
  if (!skip_number(scanner) || scanner->at - first > 9) return false;
  *number = 0;
  for (; first < scanner->at; first += 1) {
    if (!is_digit(*first)) return false;
    *number = *number * 10 + (*first - '0');
  }
  return true;
}

/* Whether `key` is `name`. Sets `is_odd` when it is so only in another spelling. */
static bool is_key(struct text key, struct text name, bool *is_odd) {
  if (is_same(key, name)) return true;
  *is_odd |= is_same_in_any_case(key, name);
  return false;
}

static bool read_ipam_member(struct scanner *scanner, struct text key, struct config *config) {
  bool is_odd = false;
  if (is_key(key, TEXT("socket"), &is_odd)) return read_text(scanner, &config->ipam_socket);
  if (is_key(key, TEXT("timeoutSeconds"), &is_odd)) {
    return read_whole_number(scanner, &config->ipam_timeout_seconds);
  }
  return !is_odd && skip_value(scanner);
}

static bool read_ipam(struct scanner *scanner, struct config *config) {
  if (config->has_ipam) return false;
  config->has_ipam = true;
  return peek(scanner) == '{' ? read_object(scanner, read_ipam_member, config) : skip_value(scanner);
}

static bool read_top_member(struct scanner *scanner, struct text key, struct config *config) {
  bool is_odd = false;
  if (is_key(key, TEXT("cniVersion"), &is_odd)) return read_text(scanner, &config->cni_version);
  if (is_key(key, TEXT("ipam"), &is_odd)) return read_ipam(scanner, config);
  return !is_odd && skip_value(scanner);
}

bool read_config(struct text json, struct config *config) {
  struct scanner scanner = {json.bytes, json.bytes + json.length, 0, true};
  *config = (struct config){.ipam_timeout_seconds = -1};
  skip_space(&scanner);
  bool is_good = read_object(&scanner, read_top_member, config);
  skip_space(&scanner);
  config->is_ascii = scanner.is_ascii;
  return is_good && scanner.at == scanner.end;
}

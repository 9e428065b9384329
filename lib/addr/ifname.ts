/** Names of links. */
import { hashHex } from "../hash.ts";
import { parseError } from "./parse-error.ts";

/** Longest name in bytes: `IFNAMSIZ` without its NUL. Source: include/uapi/linux/if.h. */
const IFNAME_BYTES = 15;

const encoder = new TextEncoder();

/**
 * Why the kernel would not make a link of this name, in words; null when it would.
 *
 * Beyond `dev_valid_name` this refuses `%`, which makes a name a pattern: `eth%d` would become `eth0`.
 * Counts bytes, as the kernel does, and looks at bytes: to its `isspace` a byte 0xa0 is white space,
 * also where it is the second half of `à`.
 *
 * Source: net/core/dev.c `dev_valid_name`, `__dev_alloc_name`; lib/ctype.c.
 */
export function ifnameProblem(text: string): string | null {
  const bytes = encoder.encode(text);
  if (bytes.length === 0) return "it is empty";
  if (bytes.length > IFNAME_BYTES) return `it has ${bytes.length} bytes, at most ${IFNAME_BYTES} are allowed`;
  if (text === "." || text === "..") return `"." and ".." are not allowed`;
  const bad = /[/:%\0]|\s/u.exec(text)?.[0];
  if (bad !== undefined)
    return `it holds ${JSON.stringify(bad)}; "/", ":", "%" and white space are not allowed`;
  if (bytes.includes(0xa0)) return "it holds the byte 0xa0, which the kernel takes for white space";
  return null;
}

/**
 * Returns `text` when it can name a link.
 *
 * @throws invalid-config
 */
export function validateIfname(text: string): string {
  const problem = ifnameProblem(text);
  if (problem !== null) throw parseError("interface name", text, { reason: problem });
  return text;
}

/** Digits of a derived name: 44 bits, so that a chance meeting among 4,000 names is one in two million. */
const DERIVED_DIGITS = 11;

/**
 * `prefix` followed by 11 hexadecimal digits of a hash of `seed`: `fl3f29a0c41d7`. The same seed gives the
 * same name, on every machine. A seed of several parts must say where each one ends.
 *
 * @throws invalid-config when `prefix` has more than 4 bytes, or no link may begin with it.
 */
export function deriveIfname(prefix: string, seed: string): string {
  return validateIfname(prefix + hashHex(seed, DERIVED_DIGITS));
}

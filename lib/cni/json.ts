/** JSON from outside: decoded within limits of size and depth, and never trusted to have a shape. */
import { type ErrorCode, FairleadError } from "../errors.ts";

/** A decoded JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * Largest input that is read. A GC request lists every attachment of the node twice, at some 220 bytes: this
 * holds nineteen thousand.
 */
export const MAX_JSON_BYTES = 4 * 1024 * 1024;

/** Deepest nesting that is read. A conflist nests eight levels; the parser recurses, so there must be an end. */
export const MAX_JSON_DEPTH = 100;

/** What is being read and how its faults are reported. */
export interface Reading {
  /** Verb phrase of the message: "read network configuration". */
  readonly operation: string;
  /** Code of a value that has the wrong type or breaks a rule. Broken JSON is always `decode-failure`. */
  readonly fault: ErrorCode;
}

const decoder = new TextDecoder();

/**
 * Decodes JSON. Of equal keys in one object the last wins; invalid UTF-8 becomes U+FFFD: as encoding/json of Go.
 *
 * @throws FairleadError `reading.fault` beyond {@link MAX_JSON_BYTES} or {@link MAX_JSON_DEPTH},
 * `decode-failure` for what is not JSON.
 */
export function decodeJson(bytes: Uint8Array, reading: Reading): Json {
  if (bytes.length > MAX_JSON_BYTES) {
    throw beyondLimit(reading, `it is larger than ${MAX_JSON_BYTES} bytes`);
  }
  const depth = depthOf(bytes);
  if (depth > MAX_JSON_DEPTH) {
    throw beyondLimit(reading, `it nests ${depth} levels deep, at most ${MAX_JSON_DEPTH} are read`);
  }
  try {
    return JSON.parse(decoder.decode(bytes)) as Json;
  } catch (cause) {
    throw notJson(bytes, reading, cause);
  }
}

function beyondLimit({ operation, fault }: Reading, reason: string): FairleadError {
  const hint = "nothing like that is meant to be there; check what writes it";
  return new FairleadError({ code: fault, operation, reason, hint });
}

function notJson(bytes: Uint8Array, { operation }: Reading, cause: unknown): FairleadError {
  const what = bytes.length === 0 ? "it is empty" : cause instanceof Error ? cause.message : String(cause);
  return new FairleadError({
    code: "decode-failure",
    operation,
    reason: `not JSON: ${what}`,
    hint: "give one JSON object",
    cause,
  });
}

/** A value that breaks a rule. `object` names the key. */
export function faultOf({ operation, fault }: Reading, object: string, reason: string): FairleadError {
  return new FairleadError({ code: fault, operation, object, reason });
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * An object out of a decoded value; `null` counts as an empty one, as in Go.
 *
 * @throws FairleadError `decode-failure`
 */
export function requireObject(value: Json, { operation }: Reading): JsonObject {
  if (value === null) return {};
  if (isObject(value)) return value;
  throw new FairleadError({
    code: "decode-failure",
    operation,
    reason: `it is ${describeJson(value)}, not an object`,
    hint: "give one JSON object",
  });
}

const LONGEST_QUOTE = 80;

/** A value for a message: what it is and, cut to a readable length, how it reads. */
export function describeJson(value: Json): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object") return value === null ? "null" : "an object";
  const text = JSON.stringify(value);
  const shown = text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text;
  return `the ${typeof value} ${shown}`;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** How deep arrays and objects nest in JSON text. Looks at bytes, since nothing is decoded yet. */
function depthOf(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) deepest = Math.max(deepest, ++depth);
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
  }
  return deepest;
}

/** Place of the quote that ends the string beginning at `start`, or the end of the input. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

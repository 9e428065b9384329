/**
 * Domain names: labels on the wire, with pointers; text here.
 *
 * The text has no final dot, and the root is the empty text. A byte that is no printable ASCII character is `\DDD`
 * (three decimal digits), a dot or backslash inside a label has a backslash before it: every name has exactly one
 * text, and its case is kept.
 *
 * Source: RFC 1035 §3.1, §4.1.4 (pointers), §5.1 (text); RFC 4343 (case).
 */
import { type Decoded, decodeFailure, encodeFailure, expectBytes, type Field } from "./field.ts";
import type { Writer } from "./writer.ts";

const LONGEST_LABEL = 63;
/** With the byte of the root's label. */
const LONGEST_NAME_BYTES = 255;
const POINTER_BITS = 0xc0;
/** A name has at most 127 labels, so no writer needs more: each pointer stands in for at least one of them, but the last. */
const MOST_POINTERS = 126;

const BACKSLASH = 0x5c;
const DOT = 0x2e;

function labelText(message: Uint8Array, at: number, length: number): string {
  let text = "";
  for (let index = at; index < at + length; index++) {
    const byte = message[index] ?? 0;
    if (byte === DOT || byte === BACKSLASH) text += `\\${String.fromCharCode(byte)}`;
    else if (byte > 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else text += `\\${String(byte).padStart(3, "0")}`;
  }
  return text;
}

/**
 * Reads a name. Each pointer must lead further back than everything read of the name before, so that there is an
 * end to them, and there are at most {@link MOST_POINTERS}: a message that is nothing but pointers would otherwise cost the
 * square of its length. The name as a whole has at most 255 bytes.
 */
function readName(message: Uint8Array, start: number, end: number): Decoded<string> {
  const labels: string[] = [];
  let at = start;
  let limit = end;
  let earliest = start;
  let next = -1;
  let sizeBytes = 1;
  let pointers = 0;
  for (;;) {
    expectBytes(at, 1, limit);
    const length = message[at] ?? 0;
    if (length === 0) return { value: labels.join("."), next: next < 0 ? at + 1 : next };
    if ((length & POINTER_BITS) === POINTER_BITS) {
      expectBytes(at, 2, limit);
      const target = ((length & 0x3f) << 8) | (message[at + 1] ?? 0);
      if (target >= earliest) throw decodeFailure(`the pointer at ${at} leads to ${target}, not back`);
      if (++pointers > MOST_POINTERS)
        throw decodeFailure(`the name at ${start} has more than ${MOST_POINTERS} pointers`);
      if (next < 0) next = at + 2;
      limit = earliest;
      earliest = target;
      at = target;
      continue;
    }
    if (length > LONGEST_LABEL) throw decodeFailure(`the label at ${at} is of an unknown kind`);
    expectBytes(at + 1, length, limit);
    sizeBytes += length + 1;
    if (sizeBytes > LONGEST_NAME_BYTES) {
      throw decodeFailure(`the name at ${start} has more than ${LONGEST_NAME_BYTES} bytes`);
    }
    labels.push(labelText(message, at + 1, length));
    at += length + 1;
  }
}

/** The labels of a name's text, each still as text: `a\\.b.c` has the labels `a\\.b` and `c`. */
export function labelsOf(name: string): string[] {
  if (name === "") return [];
  if (!name.includes("\\")) return name.split(".");
  const labels: string[] = [];
  let from = 0;
  for (let at = 0; at < name.length; at++) {
    if (name.charCodeAt(at) === BACKSLASH) at++;
    else if (name.charCodeAt(at) === DOT) {
      labels.push(name.slice(from, at));
      from = at + 1;
    }
  }
  return [...labels, name.slice(from)];
}

/** The bytes of a label's text. A character beyond 255 stands for no byte, and becomes one that is too large. */
function labelBytes(label: string): number[] {
  const bytes: number[] = [];
  for (let at = 0; at < label.length; at++) {
    const code = label.charCodeAt(at);
    const decimal = code === BACKSLASH ? /^\d{3}/.exec(label.slice(at + 1, at + 4))?.[0] : undefined;
    if (code !== BACKSLASH) bytes.push(code);
    else bytes.push(decimal === undefined ? label.charCodeAt(at + 1) : Number(decimal));
    if (code === BACKSLASH) at += decimal === undefined ? 1 : 3;
  }
  return bytes;
}

/** Returns the number of bytes written. */
function writeLabel(out: Writer, label: string): number {
  const bytes = labelBytes(label);
  if (bytes.length === 0 || bytes.length > LONGEST_LABEL) {
    throw encodeFailure(`the label ${JSON.stringify(label)} has not 1 to ${LONGEST_LABEL} bytes`);
  }
  out.unsigned(bytes.length, 1);
  for (const byte of bytes) {
    if (!(byte >= 0 && byte <= 255))
      throw encodeFailure(`${JSON.stringify(label)} has a character that is no byte`);
    out.unsigned(byte, 1);
  }
  return bytes.length + 1;
}

function writeName(out: Writer, name: string, compress: boolean): void {
  const labels = labelsOf(name);
  let sizeBytes = 1;
  for (let at = 0; at < labels.length; at++) {
    const suffix = at === 0 ? name : labels.slice(at).join(".");
    const place = compress ? out.placeOf(suffix) : undefined;
    if (place !== undefined) {
      out.unsigned((POINTER_BITS << 8) | place, 2);
      return;
    }
    out.notePlace(suffix);
    sizeBytes += writeLabel(out, labels[at] ?? "");
    if (sizeBytes > LONGEST_NAME_BYTES) {
      throw encodeFailure(`the name ${JSON.stringify(name)} has more than ${LONGEST_NAME_BYTES} bytes`);
    }
  }
  out.unsigned(0, 1);
}

/** A name that points to where its end stands already, in exactly the same case. */
export const compressedName: Field<string> = {
  read: readName,
  write: (out, value) => writeName(out, value, true),
};

/**
 * A name that is written in full and read either way: in the data of record types younger than RFC 1035.
 * Source: RFC 3597 §4.
 */
export const plainName: Field<string> = {
  read: readName,
  write: (out, value) => writeName(out, value, false),
};

/** The form in which names are compared: ASCII letters in lower case. Source: RFC 4343 §3. */
export function foldName(name: string): string {
  return name.toLowerCase();
}

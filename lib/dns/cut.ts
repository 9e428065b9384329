/**
 * Cuts a long message to a limit without reading it: names only ever point back, so a beginning of a message stands by itself.
 */
import { decodeFailure, expectBytes, u16 } from "./field.ts";
import { HEADER_BYTES, readHeader } from "./header.ts";

const POINTER_BITS = 0xc0;
/** Type, class, TTL. */
const RECORD_HEAD_BYTES = 8;
/** Source: RFC 1035 §4.1.1. */
const TRUNCATED = 0x02;

/**
 * The question and as many answers as fit, marked as truncated, then `tail`, which are `tailCount` additional records that
 * nothing points into and that point nowhere: an OPT record. Somebody who cannot ask over TCP has a beginning at least.
 *
 * @throws FairleadError decode-failure: it is no message, or its question does not fit.
 */
export function cutMessage(
  message: Uint8Array,
  limitBytes: number,
  { tail, tailCount }: { readonly tail: Uint8Array; readonly tailCount: number },
): Uint8Array {
  const { questionCount, answerCount } = readHeader(message).value;
  let end = HEADER_BYTES;
  for (let index = 0; index < questionCount; index++) end = afterName(message, end) + 4;
  if (end > message.length || end + tail.length > limitBytes)
    throw decodeFailure("the question does not fit");
  let kept = 0;
  for (; kept < answerCount; kept++) {
    const next = afterRecord(message, end);
    if (next + tail.length > limitBytes) break;
    end = next;
  }
  const cut = new Uint8Array(end + tail.length);
  cut.set(message.subarray(0, end));
  cut.set(tail, end);
  const view = new DataView(cut.buffer);
  cut[2] = (cut[2] ?? 0) | TRUNCATED;
  view.setUint16(6, kept);
  view.setUint16(8, 0);
  view.setUint16(10, tailCount);
  return cut;
}

function afterRecord(message: Uint8Array, at: number): number {
  const length = u16.read(message, afterName(message, at) + RECORD_HEAD_BYTES, message.length);
  const next = length.next + length.value;
  expectBytes(next, 0, message.length);
  return next;
}

/** The first byte after a name: its labels are passed over, and a pointer ends it. */
function afterName(message: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    expectBytes(at, 1, message.length);
    const length = message[at] ?? 0;
    if (length === 0) return at + 1;
    if ((length & POINTER_BITS) === POINTER_BITS) return at + 2;
    if ((length & POINTER_BITS) !== 0) throw decodeFailure(`the label at ${at} is of an unknown kind`);
    at += length + 1;
  }
}

/**
 * Bytes of a DNS message as they are made: a buffer that grows up to a limit, and the places of the names that are
 * in it already.
 */
import { FairleadError } from "../errors.ts";

/** First size of the buffer: most messages fit. */
const FIRST_BYTES = 512;
/** A pointer has 14 bits for its offset. Source: RFC 1035 §4.1.4. */
const FURTHEST_POINTER = 0x3fff;

/** The buffer's limit is reached: the caller leaves something out, or gives up. */
export class MessageFull extends FairleadError {
  constructor(limitBytes: number) {
    super({
      code: "unsupported-field",
      operation: "encode DNS message",
      reason: `it has more than ${limitBytes} bytes`,
    });
  }
}

export class Writer {
  #buffer = new Uint8Array(FIRST_BYTES);
  #length = 0;
  #limitBytes: number;
  /** Name (as text, in its exact case) → offset of its first label. */
  readonly #places = new Map<string, number>();

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes written so far; the offset of the next one. */
  get length(): number {
    return this.#length;
  }

  /** What was written: a view, valid until the next write. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Lets the message grow further. */
  raiseLimit(limitBytes: number): void {
    this.#limitBytes = limitBytes;
  }

  /** Forgets everything from `length` on. */
  rewind(length: number): void {
    this.#length = length;
    for (const [name, place] of this.#places) if (place >= length) this.#places.delete(name);
  }

  /** @throws MessageFull */
  unsigned(value: number, sizeBytes: number): void {
    const at = this.#take(sizeBytes);
    this.#put(value, at, sizeBytes);
  }

  /** @throws MessageFull */
  bytes(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** Overwrites a number that was written before. */
  patch(value: number, at: number, sizeBytes: number): void {
    this.#put(value, at, sizeBytes);
  }

  /** Where `name` stands in the message, if a pointer can reach it. */
  placeOf(name: string): number | undefined {
    return this.#places.get(name);
  }

  /** Notes that `name` begins at the next byte. */
  notePlace(name: string): void {
    if (this.#length <= FURTHEST_POINTER && !this.#places.has(name)) this.#places.set(name, this.#length);
  }

  #put(value: number, at: number, sizeBytes: number): void {
    // A shift of 32 bits and fewer takes an unsigned number of 32 bits as it is.
    for (let index = 0; index < sizeBytes; index++) {
      this.#buffer[at + index] = value >>> (8 * (sizeBytes - 1 - index));
    }
  }

  #take(sizeBytes: number): number {
    const at = this.#length;
    const needed = at + sizeBytes;
    if (needed > this.#limitBytes) throw new MessageFull(this.#limitBytes);
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    this.#length = needed;
    return at;
  }
}

/**
 * Messages on a TCP stream: each after its length in two bytes.
 *
 * Source: RFC 1035 §4.2.2; RFC 7766 §8 (length and message belong into one write).
 */
import { decodeFailure, encodeFailure } from "./field.ts";
import { LONGEST_MESSAGE_BYTES } from "./message.ts";

const LENGTH_BYTES = 2;

/** Cuts a stream into messages. Keeps at most one message that is not complete: two bytes more than it may have. */
export class FrameReader {
  readonly #longestBytes: number;
  #chunks: Uint8Array[] = [];
  #heldBytes = 0;
  /** Of the message that is under way, with its length's two bytes; 0 while those are not complete. */
  #wantedBytes = 0;

  /** @param longestBytes of a message that is read. */
  constructor(longestBytes: number = LONGEST_MESSAGE_BYTES) {
    this.#longestBytes = longestBytes;
  }

  /** True while a message has begun and is not complete. */
  get isPartial(): boolean {
    return this.#heldBytes > 0;
  }

  /**
   * Takes the next bytes of the stream and returns the messages that are complete with them, as copies.
   * @throws FairleadError decode-failure: one is announced that is too long. Nothing can be read of the stream any more.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
    if (!this.#hasMessage()) return [];
    let bytes = this.#join();
    const messages: Uint8Array[] = [];
    for (;;) {
      const wanted = this.#frameBytes(bytes);
      if (wanted === 0 || bytes.length < wanted) break;
      messages.push(bytes.slice(LENGTH_BYTES, wanted));
      bytes = bytes.subarray(wanted);
    }
    this.#hold(bytes);
    return messages;
  }

  /** So that a stream of single bytes is joined once a message, not once a byte. */
  #hasMessage(): boolean {
    if (this.#wantedBytes === 0 && this.#heldBytes >= LENGTH_BYTES)
      this.#wantedBytes = this.#frameBytes(this.#join());
    return this.#wantedBytes > 0 && this.#heldBytes >= this.#wantedBytes;
  }

  #join(): Uint8Array {
    const [first] = this.#chunks;
    if (this.#chunks.length === 1 && first) return first;
    const joined = new Uint8Array(this.#heldBytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [joined];
    return joined;
  }

  #hold(bytes: Uint8Array): void {
    this.#chunks = bytes.length === 0 ? [] : [bytes.slice()];
    this.#heldBytes = bytes.length;
    this.#wantedBytes = this.#frameBytes(bytes);
  }

  #frameBytes(bytes: Uint8Array): number {
    const size = frameBytes(bytes);
    if (size - LENGTH_BYTES > this.#longestBytes)
      throw decodeFailure(`a message of ${size - LENGTH_BYTES} bytes is announced`);
    return size;
  }
}

/** Bytes of the frame that begins here, its length included; 0 when not even the length is there. */
function frameBytes(bytes: Uint8Array): number {
  if (bytes.length < LENGTH_BYTES) return 0;
  return LENGTH_BYTES + ((bytes[0] ?? 0) << 8) + (bytes[1] ?? 0);
}

/** A message with its length before it. @throws FairleadError unsupported-field when it is too long. */
export function frameMessage(message: Uint8Array): Uint8Array {
  if (message.length > LONGEST_MESSAGE_BYTES) throw encodeFailure(`it has ${message.length} bytes`);
  const framed = new Uint8Array(LENGTH_BYTES + message.length);
  framed[0] = message.length >> 8;
  framed[1] = message.length & 0xff;
  framed.set(message, LENGTH_BYTES);
  return framed;
}

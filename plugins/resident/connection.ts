/** One client of a worker: its request is read within limits of size and time, and answered without waiting for ever. */
import { closeFd, EAGAIN, invoke } from "../../lib/linux/calls/errno.ts";
import { POLLIN, POLLOUT, pollFd } from "../../lib/linux/files/stdio.ts";
import { type Peer, peerOf, receiveNow } from "../../lib/linux/sockets/listening-socket.ts";
import {
  DECLINED,
  decodeRequest,
  encodeAnswer,
  LONGEST_REQUEST_BYTES,
  type ResidentAnswer,
  type ResidentRequest,
  requestBytes,
  TAKEN,
} from "../../lib/resident/frames.ts";

const MSG_NOSIGNAL = 0x4000;
/** A client sends everything at once. One that does not is stopped, or none of ours: others wait behind it. */
const REQUEST_LIMIT_MS = 500;
/** The client's stdout may be full for a while. */
const RECEIPT_LIMIT_MS = 2_000;
/** An answer fits the client's buffer, unless it is very long; then the client reads it at once. */
const ANSWER_LIMIT_MS = 2_000;

/** For one request at a time: its stdin lies in here. */
const buffer = new Uint8Array(LONGEST_REQUEST_BYTES);

export class Connection {
  readonly #fd: number;

  /** Takes over the descriptor. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  peer(): Peer {
    return peerOf(this.#fd);
  }

  /** Null when none came that is whole, in time. It is good until the next one is received. */
  receiveRequest(): ResidentRequest | null {
    const deadline = performance.now() + REQUEST_LIMIT_MS;
    for (let length = 0; ; ) {
      const count = receiveNow(this.#fd, buffer.subarray(length));
      if (count === "end") return null;
      if (count === null && !pollFd(this.#fd, POLLIN, { deadline, name: "client" })) return null;
      length += count ?? 0;
      const received = buffer.subarray(0, length);
      const whole = requestBytes(received);
      if (whole === null || (whole !== undefined && length > whole)) return null;
      if (whole === length) return decodeRequest(received);
    }
  }

  /** False when the client has gone, and with it the reason to begin. */
  take(): boolean {
    return this.#sendAll(new Uint8Array([TAKEN]));
  }

  decline(): void {
    this.#sendAll(new Uint8Array([DECLINED]));
  }

  /** False when the client has gone, or does not read. */
  answer(answer: ResidentAnswer): boolean {
    return this.#sendAll(encodeAnswer(answer));
  }

  /** Of a client that neither says that it has received its answer nor goes, nobody knows: it counts as one that has. */
  hasReceived(): boolean {
    const word = buffer.subarray(0, 1);
    const deadline = performance.now() + RECEIPT_LIMIT_MS;
    for (let count = receiveNow(this.#fd, word); ; count = receiveNow(this.#fd, word)) {
      if (count !== null) return count !== "end";
      if (!pollFd(this.#fd, POLLIN, { deadline, name: "client" })) return true;
    }
  }

  close(): void {
    closeFd(this.#fd);
  }

  #sendAll(bytes: Uint8Array): boolean {
    const deadline = performance.now() + ANSWER_LIMIT_MS;
    for (let sent = 0; sent < bytes.length; ) {
      const rest = bytes.subarray(sent);
      const count = invoke((c) => c.send(this.#fd, rest, rest.length, MSG_NOSIGNAL));
      if (count < 0 && !(count === -EAGAIN && pollFd(this.#fd, POLLOUT, { deadline, name: "client" })))
        return false;
      if (count > 0) sent += count;
    }
    return true;
  }
}

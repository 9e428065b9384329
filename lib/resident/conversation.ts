/**
 * The client's side of one request to a resident worker, by plain calls of C.
 *
 * The one question that matters is whether the worker has begun: before that, the plugin may run elsewhere; afterwards, it
 * must not run twice. The worker says {@link TAKEN} right before it begins. A client that gives up earlier shuts its receiving
 * side down first: from then on the kernel refuses the worker's word, and the worker, which then does not begin, knows.
 * A word that came before that counts. Its answer cannot come any more, which to the worker is a client that has gone: it ends
 * what it does, takes an ADD back, and hangs up. That is waited for; then the plugin may run elsewhere, too.
 * Source: net/unix/af_unix.c, unix_stream_sendmsg (RCV_SHUTDOWN of the peer, under its lock), unix_shutdown, and unix_poll
 * (EPOLLHUP when both directions are shut, which the peer's end brings about).
 *
 * The plugins' own client is the front, in C: plugins/front/conversation.c. This one serves whoever runs plugins from within
 * Fairlead.
 */
import type { Libc } from "../linux/calls/libc.ts";
import {
  answerBytes,
  DECLINED,
  decodeAnswer,
  LONGEST_ANSWER_BYTES,
  LONGEST_REQUEST_BYTES,
  RECEIVED,
  type ResidentAnswer,
} from "./frames.ts";

// Source: include/linux/socket.h, include/linux/net.h, include/uapi/asm-generic/poll.h (x86-64 and arm64).
const AF_UNIX = 1;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 0o2004001;
const MSG_NOSIGNAL = 0x4000;
const SHUT_RD = 0;
const POLLIN = 0x1;
/** POLLHUP and POLLERR are told whether they are asked for or not. */
const NOTHING_BUT_HANGING_UP = 0;

/** A usual value of {@link Conversation.startLimitMs}: busy workers have their queue; who does not begin by then is stuck. */
export const START_LIMIT_MS = 2_000;

/** Longest path of a unix socket: `sun_path` has 108 bytes, one of them the NUL. Source: include/uapi/linux/un.h. */
const PATH_BYTES = 107;
const FIRST_BUFFER_BYTES = 16 * 1024;

/** The functions that this takes. */
export type ConversationCalls = Pick<
  Libc,
  "socket" | "connect" | "send" | "recv" | "poll" | "shutdown" | "close"
>;

export interface Conversation {
  readonly socketPath: string;
  /** By `encodeRequest`. */
  readonly request: Uint8Array;
  /** Longest wait for a worker that begins, in milliseconds. */
  readonly startLimitMs: number;
  /** Longest wait for the answer once it has begun, in milliseconds. */
  readonly limitMs: number;
}

/** What became of a request. */
export type ConversationOutcome =
  | { readonly kind: "answered"; readonly answer: ResidentAnswer }
  /** No worker began, or what it began is over without effect: the plugin may be run elsewhere. */
  | { readonly kind: "untaken" }
  /** A worker began; how far it came is not known. */
  | { readonly kind: "lost"; readonly timedOut: boolean };

const RECEIPT = new Uint8Array([RECEIVED]);
const UNTAKEN: ConversationOutcome = { kind: "untaken" };
const LOST: ConversationOutcome = { kind: "lost", timedOut: false };

/** Connects, asks, waits. Blocks the thread; never throws; leaves nothing open. */
export function converse(c: ConversationCalls, conversation: Conversation): ConversationOutcome {
  if (conversation.request.length > LONGEST_REQUEST_BYTES) return UNTAKEN;
  const address = addressOf(conversation.socketPath);
  if (address === null) return UNTAKEN;
  const fd = c.socket(AF_UNIX, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) return UNTAKEN;
  const isAsked = c.connect(fd, address, address.length) === 0 && sendAll(c, fd, conversation.request);
  const outcome = isAsked ? awaitAnswer(c, fd, conversation) : UNTAKEN;
  // Only of an ADD the worker waits to hear it; any other has hung up.
  if (outcome.kind === "answered") c.send(fd, RECEIPT, RECEIPT.length, MSG_NOSIGNAL);
  c.close(fd);
  return outcome;
}

/** `struct sockaddr_un`; null for what is no path of a socket. */
function addressOf(path: string): Uint8Array | null {
  const name = new TextEncoder().encode(path);
  if (name.length === 0 || name.length > PATH_BYTES || name[0] === 0) return null;
  const address = new Uint8Array(name.length + 3);
  address[0] = AF_UNIX;
  address.set(name, 2);
  return address;
}

/** False when not all of it could be sent at once; the worker then finds a request without an end. */
function sendAll(c: ConversationCalls, fd: number, bytes: Uint8Array): boolean {
  for (let sent = 0; sent < bytes.length; ) {
    const rest = bytes.subarray(sent);
    const count = c.send(fd, rest, rest.length, MSG_NOSIGNAL);
    if (count < 0) return false;
    sent += count;
  }
  return true;
}

function awaitAnswer(c: ConversationCalls, fd: number, conversation: Conversation): ConversationOutcome {
  let deadline = performance.now() + conversation.startLimitMs;
  let buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  let isShut = false;
  for (let length = 0; ; ) {
    if (!waitFor(c, { fd, events: POLLIN }, deadline)) {
      if (length > 0) return { kind: "lost", timedOut: true };
      // What came in the last moment is read below; after it there is only the end.
      isShut = true;
      c.shutdown(fd, SHUT_RD);
    }
    const space = buffer.subarray(length);
    const count = c.recv(fd, space, space.length, 0);
    if (count <= 0 && length > 0) return isShut ? awaitHangUp(c, fd, deadline) : LOST;
    if (count <= 0) return UNTAKEN;
    if (length === 0 && buffer[0] === DECLINED) return UNTAKEN;
    if (length === 0) deadline = performance.now() + conversation.limitMs;
    length += count;
    const answer = buffer.subarray(1, length);
    const whole = answerBytes(answer);
    if (whole === answer.length) return { kind: "answered", answer: decodeAnswer(answer) };
    if (whole !== undefined && whole > LONGEST_ANSWER_BYTES) return LOST;
    if (whole !== undefined && whole >= buffer.length) buffer = grown(buffer, whole + 1);
  }
}

function grown(buffer: Uint8Array, bytes: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes);
  larger.set(buffer);
  return larger;
}

/** Waits for the end of a worker that has been told, by the shut socket, that its answer is not wanted. */
function awaitHangUp(c: ConversationCalls, fd: number, deadline: number): ConversationOutcome {
  return waitFor(c, { fd, events: NOTHING_BUT_HANGING_UP }, deadline)
    ? UNTAKEN
    : { kind: "lost", timedOut: true };
}

/** False when the deadline came first. A signal that interrupts only makes it look at the clock. */
function waitFor(
  c: ConversationCalls,
  { fd, events }: { readonly fd: number; readonly events: number },
  deadline: number,
): boolean {
  const request = new Uint8Array(8);
  const view = new DataView(request.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, events, true);
  for (;;) {
    const leftMs = Math.ceil(deadline - performance.now());
    const ready = c.poll(request, 1, Math.max(leftMs, 0));
    if (ready > 0) return true;
    if (leftMs <= 0) return false;
  }
}

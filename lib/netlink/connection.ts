/**
 * The netlink protocol over a socket that someone else opened: sequence numbers, acknowledgements, multipart
 * replies, interrupted dumps. Pure: all I/O is in the {@link NetlinkTransport}.
 *
 * Synchronous by design. The kernel serves a request while it is being sent, so its answer is in the socket when
 * `send` returns; and a plugin that is inside a container's network namespace must not yield.
 */
import { FairleadError } from "../errors.ts";
import { Exchange, type ServingOrder } from "./exchange.ts";
import {
  decodeDone,
  decodeError,
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "./message.ts";
import { isAbsent, NetlinkError, type NetlinkRequest, type NetlinkResult } from "./request.ts";

/** A netlink socket. Whoever opened it decides its network namespace, for good. */
export interface NetlinkTransport {
  /** Sends one datagram to the kernel. */
  send(datagram: Uint8Array): void;
  /**
   * Waits for one datagram from the kernel, whole. The array may be overwritten by the next call.
   *
   * @throws {FairleadError} `timeout`: none came within the socket's time limit.
   */
  receive(): Uint8Array;
  close(): void;
  /** The port ID that the kernel bound the socket to. Without it, answers are told by sequence alone. */
  readonly portId?: number;
}

export interface ConnectionOptions {
  /** Sequence number of the first request. Default: 1. */
  readonly firstSequence?: number;
  /** Is shown every datagram, for debugging: see `dump-text.ts`. Must not keep the bytes. */
  readonly trace?: (direction: "send" | "receive", datagram: Uint8Array) => void;
}

/** How often a dump is begun again when objects changed meanwhile, before giving up. */
export const DUMP_ATTEMPTS = 10;

/**
 * Requests sent in one datagram. Their answers wait in the socket's receive buffer (212,992 bytes by default, of
 * which a small answer takes up to 2.3 KiB with its bookkeeping): more of them and the kernel drops some.
 */
export const REQUESTS_PER_SEND = 64;

/** The last sequence number before they start again. Source: nlmsg_seq is a u32; 0 marks notifications. */
const LAST_SEQUENCE = 0xffff_ffff;

type Requests = readonly NetlinkRequest<unknown>[];
type ReplyOf<R> = R extends NetlinkRequest<infer T> ? T : never;
/** For each request of a tuple, its replies. */
export type RepliesOf<R extends Requests> = { readonly [K in keyof R]: readonly ReplyOf<R[K]>[] };
/** For each request of a tuple, its result. */
export type ResultsOf<R extends Requests> = { readonly [K in keyof R]: NetlinkResult<ReplyOf<R[K]>> };
/** For each request of a tuple, its reply, or undefined. */
export type FoundOf<R extends Requests> = { readonly [K in keyof R]: ReplyOf<R[K]> | undefined };

/** Not safe for use by two callers at once: one request must be drained before the next is sent. */
export class NetlinkConnection {
  readonly #transport: NetlinkTransport;
  readonly #options: ConnectionOptions;
  #sequence: number;

  constructor(transport: NetlinkTransport, options: ConnectionOptions = {}) {
    this.#transport = transport;
    this.#options = options;
    this.#sequence = options.firstSequence ?? 1;
  }

  /**
   * Sends all requests together, waits for every answer, and says what became of each. The kernel serves them in
   * order and goes on past one that it refuses.
   *
   * @throws {FairleadError} only when the socket fails: what the kernel did is then unknown.
   */
  attempt<const R extends Requests>(requests: R): ResultsOf<R> {
    if (requests.length <= REQUESTS_PER_SEND) return this.#exchange(requests) as ResultsOf<R>;
    const results: NetlinkResult<unknown>[] = [];
    for (let start = 0; start < requests.length; start += REQUESTS_PER_SEND) {
      results.push(...this.#exchange(requests.slice(start, start + REQUESTS_PER_SEND)));
    }
    return results as ResultsOf<R>;
  }

  /**
   * Like {@link attempt}, but gives the replies of each request.
   *
   * @throws {NetlinkError} the first refusal, after all requests were answered. The others took effect.
   */
  execute<const R extends Requests>(requests: R): RepliesOf<R> {
    return repliesOrThrow(this.attempt(requests)) as RepliesOf<R>;
  }

  /**
   * Sends requests that the kernel takes or refuses as one (an nfnetlink batch), in one datagram however many
   * they are. Let few of them ask for an acknowledgement; a refusal of any of them is reported regardless.
   *
   * @throws {NetlinkError} the first refusal. Nothing took effect.
   */
  transact<const R extends Requests>(requests: R): RepliesOf<R> {
    return repliesOrThrow(this.#exchange(requests, "as-one")) as RepliesOf<R>;
  }

  /**
   * Asks for one object.
   *
   * @throws {NetlinkError} the kernel refused; {@link isAbsent} tells whether the object does not exist.
   */
  get<T>(request: NetlinkRequest<T>): T {
    const reply = this.execute([request])[0]?.[0] as T | undefined;
    if (reply !== undefined) return reply;
    throw new FairleadError({
      code: "decode-failure",
      operation: request.operation,
      object: request.object,
      reason: "the kernel acknowledged the request without answering it",
    });
  }

  /** Like {@link get}, but undefined for an object that does not exist. */
  find<T>(request: NetlinkRequest<T>): T | undefined {
    try {
      return this.get(request);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** Several objects in one exchange, each undefined when there is none. @throws {NetlinkError} of another refusal. */
  findAll<const R extends Requests>(requests: R): FoundOf<R> {
    const results: readonly NetlinkResult<unknown>[] = this.attempt(requests);
    return results.map((result) => {
      if (result.ok) return result.replies[0];
      if (isAbsent(result.error)) return undefined;
      throw result.error;
    }) as FoundOf<R>;
  }

  /**
   * Asks for all objects of a kind. The answer is consistent: a dump during which something changed is begun
   * again, up to {@link DUMP_ATTEMPTS} times.
   *
   * @throws {NetlinkError} the kernel refused.
   * @throws {FairleadError} `unavailable`: objects changed during every attempt.
   */
  dump<T>(request: NetlinkRequest<T>): readonly T[] {
    for (let attempt = 1; attempt <= DUMP_ATTEMPTS; attempt++) {
      const { items, interrupted } = this.#dumpOnce(request);
      if (!interrupted) return items;
    }
    throw new FairleadError({
      code: "unavailable",
      operation: request.operation,
      object: request.object,
      reason: `the list changed during each of ${DUMP_ATTEMPTS} attempts to read it`,
      hint: "try again when fewer objects come and go",
    });
  }

  close(): void {
    this.#transport.close();
  }

  #exchange(requests: Requests, order: ServingOrder = "in-turn"): NetlinkResult<unknown>[] {
    if (requests.length === 0) return [];
    const exchange = new Exchange(requests, this.#reserve(requests.length), order);
    this.#send(exchange.datagram());
    while (!exchange.finished) {
      for (const message of this.#receive(exchange.waitingFor)) exchange.take(message);
    }
    return exchange.results();
  }

  #dumpOnce<T>(request: NetlinkRequest<T>): { items: T[]; interrupted: boolean } {
    const sequence = this.#reserve(1);
    const flags = request.flags | NLM_F_REQUEST | NLM_F_DUMP;
    this.#send(encodeMessage({ ...request, flags, sequence, portId: 0 }));
    const reading = new DumpReading(request);
    while (!reading.finished) {
      for (const message of this.#receive(request)) {
        if (message.sequence === sequence) reading.take(message);
      }
    }
    return { items: reading.itemsOrThrow(), interrupted: reading.interrupted };
  }

  /** The first of `count` sequence numbers that follow one another. */
  #reserve(count: number): number {
    if (this.#sequence + count > LAST_SEQUENCE) this.#sequence = 1;
    const first = this.#sequence;
    this.#sequence += count;
    return first;
  }

  #send(datagram: Uint8Array): void {
    this.#options.trace?.("send", datagram);
    this.#transport.send(datagram);
  }

  /** The messages of the next datagram that are meant for this socket. */
  #receive(request: NetlinkRequest<unknown>): NetlinkMessage[] {
    const datagram = this.#receiveFor(request);
    this.#options.trace?.("receive", datagram);
    const { portId } = this.#transport;
    const messages = decodeMessages(datagram);
    return portId === undefined ? messages : messages.filter((message) => message.portId === portId);
  }

  /** A socket that fails does not know what for: the error is given the request that was waited for. */
  #receiveFor({ operation, object }: NetlinkRequest<unknown>): Uint8Array {
    try {
      return this.#transport.receive();
    } catch (error) {
      if (!(error instanceof FairleadError)) throw error;
      const { code, reason, hint, details } = error;
      throw new FairleadError({ code, operation, object, reason, hint, details, cause: error });
    }
  }
}

/** One dump as it comes in. It is read to its end even when a part of it cannot be decoded. */
class DumpReading<T> {
  readonly #request: NetlinkRequest<T>;
  readonly #items: T[] = [];
  #error: unknown;
  finished = false;
  interrupted = false;

  constructor(request: NetlinkRequest<T>) {
    this.#request = request;
  }

  take(message: NetlinkMessage): void {
    if (this.finished) return;
    if (message.flags & NLM_F_DUMP_INTR) this.interrupted = true;
    if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) this.#finish(message);
    else this.#decode(message);
  }

  itemsOrThrow(): T[] {
    if (this.#error !== undefined) throw this.#error;
    return this.#items;
  }

  #finish(message: NetlinkMessage): void {
    this.finished = true;
    const outcome = message.type === NLMSG_DONE ? decodeDone(message) : decodeError(message);
    if (outcome.errno !== 0) this.#error ??= new NetlinkError(this.#request, outcome);
  }

  #decode(message: NetlinkMessage): void {
    try {
      const item = this.#request.decodeReply?.(message);
      if (item !== undefined && (this.#request.accepts?.(item) ?? true)) this.#items.push(item);
    } catch (error) {
      this.#error ??= error;
    }
  }
}

function repliesOrThrow(results: readonly NetlinkResult<unknown>[]): (readonly unknown[])[] {
  const replies: (readonly unknown[])[] = [];
  for (const result of results) {
    if (!result.ok) throw result.error;
    replies.push(result.replies);
  }
  return replies;
}

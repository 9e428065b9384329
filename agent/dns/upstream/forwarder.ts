/**
 * Forwarding: names of the world, asked upstream on behalf of containers.
 *
 * The query that goes out is made anew: an id of its own, the question, and of EDNS only what concerns the answer.
 * Upstreams are asked in turn (upstream-race.ts); one that did not answer is asked last for a while.
 */
import { randomInt } from "node:crypto";
import { ednsRecord } from "../../../lib/dns/edns.ts";
import { decodeHead, encodeMessage, NO_FLAGS, type Question } from "../../../lib/dns/message.ts";
import { foldName } from "../../../lib/dns/name.ts";
import { typeNumber } from "../../../lib/dns/record-types.ts";
import type { ForwardedQuery, Forwarder } from "../answer/query-handler.ts";
import { LARGEST_UDP_BYTES } from "../answer/reply.ts";
import { exchange } from "./exchange.ts";
import { Outstanding, type OutstandingLimits } from "./outstanding.ts";
import { type RaceTimes, race } from "./race.ts";
import type { Upstream } from "./servers.ts";

export interface ForwarderLimits extends OutstandingLimits, RaceTimes {
  /** When a question is sent to the same upstream again, in milliseconds after the first time. */
  readonly resendMs: readonly number[];
  /** How long an upstream that did not answer is asked last. */
  readonly avoidMs: number;
}

/** Resolvers of containers ask again after 5 s (glibc) or give up after as long (musl). */
const FORWARDER_LIMITS: ForwarderLimits = {
  outstanding: 1_024,
  perClient: 256,
  nextAfterMs: 1_000,
  resendMs: [1_000, 3_000],
  totalMs: 5_000,
  avoidMs: 10_000,
};

export interface UpstreamForwarderOptions {
  readonly upstreams: { list(): Promise<readonly Upstream[]> };
  /** True for an address and port that we listen on: asking ourselves would never end. */
  readonly isOurselves: (upstream: Upstream) => boolean;
  readonly now: () => number;
  readonly limits?: ForwarderLimits;
}

export class UpstreamForwarder implements Forwarder {
  readonly #options: UpstreamForwarderOptions;
  readonly #limits: ForwarderLimits;
  readonly #outstanding: Outstanding;
  /** Upstream → when it may be asked first again. */
  readonly #avoidedUntil = new Map<string, number>();

  constructor(options: UpstreamForwarderOptions) {
    this.#options = options;
    this.#limits = options.limits ?? FORWARDER_LIMITS;
    this.#outstanding = new Outstanding(this.#limits);
  }

  get outstanding(): number {
    return this.#outstanding.count;
  }

  /** Ends what is under way: it is answered as if nobody had. */
  close(): void {
    this.#outstanding.close();
  }

  async ask(query: ForwardedQuery): Promise<Uint8Array | null> {
    const ticket = this.#outstanding.begin(query);
    if (ticket === null) return null;
    try {
      return withId(await this.#askAll(query, ticket.signal), query.head.id);
    } catch {
      return null;
    } finally {
      ticket.done();
    }
  }

  async #askAll(query: ForwardedQuery, signal: AbortSignal): Promise<Uint8Array | null> {
    const servers = await this.#serversFor(query);
    const { answer, silent, answered } = await race({
      ...this.#limits,
      upstreams: this.#inOrder(servers),
      ask: (upstream, over) => this.#askOne(query, upstream, over),
      signal,
    });
    this.#remember(silent, answered);
    return answer;
  }

  /** The asker's own. Where these are nobody but ourselves, they are asked as we ask: the node's. */
  async #serversFor({ upstreams: own }: ForwardedQuery): Promise<readonly Upstream[]> {
    const { upstreams, isOurselves } = this.#options;
    const others = own.filter((one) => !isOurselves(one));
    return others.length > 0 ? others : (await upstreams.list()).filter((one) => !isOurselves(one));
  }

  #remember(silent: readonly Upstream[], answered: readonly Upstream[]): void {
    const now = this.#options.now();
    // Containers that come and go bring servers that nobody asks again.
    for (const [key, until] of this.#avoidedUntil) if (until <= now) this.#avoidedUntil.delete(key);
    for (const one of silent) this.#avoidedUntil.set(keyOf(one), now + this.#limits.avoidMs);
    for (const one of answered) this.#avoidedUntil.delete(keyOf(one));
  }

  #inOrder(servers: readonly Upstream[]): readonly Upstream[] {
    const isAvoided = (one: Upstream): boolean =>
      (this.#avoidedUntil.get(keyOf(one)) ?? 0) > this.#options.now();
    return [...servers.filter((one) => !isAvoided(one)), ...servers.filter(isAvoided)];
  }

  #askOne(query: ForwardedQuery, upstream: Upstream, signal: AbortSignal): Promise<Uint8Array> {
    const id = randomInt(0x1_0000);
    const { question } = query.head;
    const isAnswer = (bytes: Uint8Array): boolean => answers(bytes, id, question);
    const { resendMs } = this.#limits;
    return exchange({ upstream, query: encodeQuery(query, id), isAnswer, resendMs, signal });
  }
}

function keyOf({ address, port }: Upstream): string {
  return `${address}#${port}`;
}

function encodeQuery({ head, authenticData }: ForwardedQuery, id: number): Uint8Array {
  const { recursionDesired, checkingDisabled, question, edns } = head;
  return encodeMessage({
    id,
    flags: { ...NO_FLAGS, recursionDesired, checkingDisabled, authenticData },
    questions: [question],
    answers: [],
    authority: [],
    additional: edns ? [ednsRecord({ udpBytes: LARGEST_UDP_BYTES, dnssecOk: edns.dnssecOk })] : [],
  });
}

/** Source: RFC 5452 §9.1: id and question must be those of the query; the socket sees to address and port. */
function answers(bytes: Uint8Array, id: number, asked: Question): boolean {
  if (bytes.length < 2 || (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) !== id) return false;
  try {
    const { flags, questions } = decodeHead(bytes);
    const [question] = questions;
    return flags.response && questions.length === 1 && question !== undefined && isSame(question, asked);
  } catch {
    return false;
  }
}

function isSame(a: Question, b: Question): boolean {
  return (
    typeNumber(a.type) === typeNumber(b.type) && a.class === b.class && foldName(a.name) === foldName(b.name)
  );
}

/** The same answer, as a copy, under the asker's id. */
function withId(answer: Uint8Array | null, id: number): Uint8Array | null {
  if (answer === null) return null;
  const copy = Uint8Array.from(answer);
  copy[0] = id >> 8;
  copy[1] = id & 0xff;
  return copy;
}

/**
 * Forwarding: names of the world, asked upstream on behalf of containers.
 *
 * The query that goes out is made anew: an id of its own, the question, and of EDNS only what concerns the answer.
 * Upstreams are asked one after the other; one that did not answer is asked last for a while.
 */
import { randomInt } from "node:crypto";
import { ednsRecord } from "../../lib/dns/edns.ts";
import { RESPONSE_CODES } from "../../lib/dns/header.ts";
import { decodeHead, encodeMessage, NO_FLAGS, type Question } from "../../lib/dns/message.ts";
import { foldName } from "../../lib/dns/name.ts";
import { typeNumber } from "../../lib/dns/record-types.ts";
import { exchange } from "./exchange.ts";
import type { ForwardedQuery, Forwarder } from "./query-handler.ts";
import { LARGEST_UDP_BYTES } from "./reply.ts";
import type { Upstream } from "./upstreams.ts";

export interface ForwarderLimits {
  /** Under way at once, of everybody. */
  readonly outstanding: number;
  /** Under way at once, of one address. */
  readonly perClient: number;
  readonly perUpstreamMs: number;
  /** For all upstreams together. */
  readonly totalMs: number;
  /** How long an upstream that did not answer is asked last. */
  readonly avoidMs: number;
}

export const FORWARDER_LIMITS: ForwarderLimits = {
  outstanding: 1_024,
  perClient: 256,
  perUpstreamMs: 2_000,
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

const TRY_NEXT_CODES: readonly number[] = [
  RESPONSE_CODES.serverFailure,
  RESPONSE_CODES.refused,
  RESPONSE_CODES.notImplemented,
];

export class UpstreamForwarder implements Forwarder {
  readonly #options: UpstreamForwarderOptions;
  readonly #limits: ForwarderLimits;
  #outstanding = 0;
  readonly #byClient = new Map<string, number>();
  /** Upstream → when it may be asked first again. */
  readonly #avoidedUntil = new Map<string, number>();

  constructor(options: UpstreamForwarderOptions) {
    this.#options = options;
    this.#limits = options.limits ?? FORWARDER_LIMITS;
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  async ask(query: ForwardedQuery): Promise<Uint8Array | null> {
    const { client } = query;
    const ofClient = this.#byClient.get(client) ?? 0;
    if (this.#outstanding >= this.#limits.outstanding || ofClient >= this.#limits.perClient) return null;
    this.#outstanding++;
    this.#byClient.set(client, ofClient + 1);
    try {
      return withId(await this.#askAll(query), query.head.id);
    } catch {
      return null;
    } finally {
      this.#outstanding--;
      this.#forget(client);
    }
  }

  #forget(client: string): void {
    const left = (this.#byClient.get(client) ?? 1) - 1;
    if (left > 0) this.#byClient.set(client, left);
    else this.#byClient.delete(client);
  }

  /** The first answer that says something; else the last that said that it cannot. */
  async #askAll(query: ForwardedQuery): Promise<Uint8Array | null> {
    const { upstreams, isOurselves, now } = this.#options;
    const endAt = now() + this.#limits.totalMs;
    let unhelpful: Uint8Array | null = null;
    const servers = (await upstreams.list()).filter((one) => !isOurselves(one));
    for (const upstream of this.#inOrder(servers)) {
      const timeoutMs = Math.min(this.#limits.perUpstreamMs, endAt - now());
      if (timeoutMs <= 0) break;
      const answer = await this.#askOne(query, upstream, timeoutMs);
      if (answer && !TRY_NEXT_CODES.includes((answer[3] ?? 0) & 15)) return answer;
      unhelpful = answer ?? unhelpful;
    }
    return unhelpful;
  }

  #inOrder(servers: readonly Upstream[]): readonly Upstream[] {
    const isAvoided = (one: Upstream): boolean =>
      (this.#avoidedUntil.get(keyOf(one)) ?? 0) > this.#options.now();
    return [...servers.filter((one) => !isAvoided(one)), ...servers.filter(isAvoided)];
  }

  async #askOne(query: ForwardedQuery, upstream: Upstream, timeoutMs: number): Promise<Uint8Array | null> {
    const id = randomInt(0x1_0000);
    const { question } = query.head;
    const isAnswer = (bytes: Uint8Array): boolean => answers(bytes, id, question);
    try {
      const answer = await exchange({ upstream, query: encodeQuery(query, id), isAnswer, timeoutMs });
      this.#avoidedUntil.delete(keyOf(upstream));
      return answer;
    } catch {
      this.#avoidedUntil.set(keyOf(upstream), this.#options.now() + this.#limits.avoidMs);
      return null;
    }
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

/**
 * One query in, one answer out: the same for UDP and TCP.
 *
 * What is no query gets no answer, and neither does an address that nobody holds on the network whose gateway it asks: a
 * server that answers everybody can be made to flood anybody.
 */
import { ednsOf, udpLimit } from "../../../lib/dns/edns.ts";
import { HEADER_BYTES, type Header, OPCODE_QUERY, readHeader } from "../../../lib/dns/header.ts";
import {
  decodeHead,
  decodeMessage,
  LONGEST_MESSAGE_BYTES,
  type Message,
  type Question,
} from "../../../lib/dns/message.ts";
import type { ContainerUpstream } from "../../../lib/runtime/container-upstreams.ts";
import type { Asker, Names } from "../names/names.ts";
import type { DnsCounters } from "./counters.ts";
import { type Decision, decide } from "./decide.ts";
import type { LateAskers } from "./late-askers.ts";
import { cutReply, decidedReply, emptyReply, LARGEST_UDP_BYTES, type QueryHead } from "./reply.ts";

/** Where a query came from. */
export interface QuerySource {
  /** Network of the gateway address that was asked. */
  readonly networkName: string;
  readonly address: string;
  readonly transport: "udp" | "tcp";
}

/** Asks somebody else. */
export interface Forwarder {
  /**
   * Resolves with the answer under the query's own id; null when nobody answered, or too much is under way.
   * Never rejects.
   */
  ask(query: ForwardedQuery): Promise<Uint8Array | null>;
}

export interface ForwardedQuery {
  readonly head: QueryHead & { readonly question: Question };
  readonly authenticData: boolean;
  /** Who is asked. None: whom the node asks. */
  readonly upstreams: readonly ContainerUpstream[];
  /** Network and address of the asker: what they may have under way is limited. */
  readonly networkName: string;
  readonly client: string;
}

/** An answer, or null for none. A promise only where somebody else has to be asked. */
export type Reply = Uint8Array | null | Promise<Uint8Array | null>;

export interface QueryHandlerOptions {
  readonly names: Names;
  readonly forwarder: Forwarder;
  readonly counters: DnsCounters;
  readonly late: LateAskers;
  /** From 0 to 1, exclusive: where a list of addresses begins. */
  readonly random: () => number;
  /** Told of what went wrong within, which should be nothing. */
  readonly onFault: (thrown: unknown, source: QuerySource) => void;
}

/** Why there is nothing to decide about: nothing is answered, or only a code. */
type Fault = "drop" | "formatError" | "notImplemented" | "badVersion";

interface Heard {
  readonly asker: Asker;
  readonly source: QuerySource;
  readonly fault: Exclude<Fault, "drop"> | null;
}

const KIND_COUNTERS = {
  addresses: "answered",
  pointers: "answered",
  "no-data": "noData",
  "no-name": "noName",
  refused: "refused",
  forward: "forwarded",
} as const satisfies Record<Decision["kind"], keyof DnsCounters>;

export class QueryHandler {
  readonly #options: QueryHandlerOptions;

  constructor(options: QueryHandlerOptions) {
    this.#options = options;
  }

  /** Counts a query that is not looked at. */
  drop(): void {
    this.#options.counters.received++;
    this.#options.counters.dropped++;
  }

  /** Never throws. */
  handle(bytes: Uint8Array, source: QuerySource): Reply {
    const { counters, onFault } = this.#options;
    counters.received++;
    // A fault of ours. Whatever a container sends, it must not end the agent.
    const giveUp = (thrown: unknown): null => {
      counters.dropped++;
      onFault(thrown, source);
      return null;
    };
    try {
      const reply = this.#handle(bytes, source);
      return reply instanceof Promise ? reply.catch(giveUp) : reply;
    } catch (thrown) {
      return giveUp(thrown);
    }
  }

  /**
   * Whose turn a query is; null: nobody's, and it need not be looked at. Everybody who is not known on a network shares one:
   * addresses can be made up.
   */
  askerOf({ networkName, address }: QuerySource): string | null {
    const { names } = this.#options;
    if (names.askerAt(networkName, address)) return address;
    return names.isInside(networkName, address) ? "" : null;
  }

  #handle(bytes: Uint8Array, source: QuerySource): Reply {
    const { names, counters } = this.#options;
    const fault = faultOfHeader(bytes);
    const asker = names.askerAt(source.networkName, source.address);
    if (asker && fault !== "drop") return this.#answer(bytes, { asker, source, fault });
    const mayBecomeKnown = fault !== "drop" && names.isInside(source.networkName, source.address);
    if (mayBecomeKnown) return this.#handleLate(Uint8Array.from(bytes), source);
    counters.dropped++;
    return null;
  }

  async #handleLate(bytes: Uint8Array, source: QuerySource): Promise<Uint8Array | null> {
    const { names, counters, late } = this.#options;
    const find = (): Asker | null => names.askerAt(source.networkName, source.address);
    await late.wait(source.networkName, () => find() !== null);
    const [asker, fault] = [find(), faultOfHeader(bytes)];
    if (asker && fault !== "drop") return this.#answer(bytes, { asker, source, fault });
    counters.dropped++;
    return null;
  }

  #answer(bytes: Uint8Array, { asker, source, fault }: Heard): Reply {
    const message = fault === null ? tryDecode(bytes) : null;
    if (message === null) return this.#refuse(headOfBytes(bytes), fault ?? "formatError");
    const [question] = message.questions;
    const head = headOf(message);
    if (question === undefined) return this.#refuse(head, "formatError");
    if (head.edns && head.edns.version > 0) return this.#refuse(head, "badVersion");
    return this.#decide(message, { ...head, question }, { asker, source });
  }

  #refuse(head: QueryHead, fault: Exclude<Fault, "drop">): Uint8Array {
    this.#options.counters.malformed++;
    return emptyReply(head, fault);
  }

  #decide(
    message: Message,
    head: QueryHead & { readonly question: Question },
    { asker, source }: { asker: Asker; source: QuerySource },
  ): Reply {
    const { names, counters } = this.#options;
    const decision = decide(names, asker, head.question);
    const isForeign = decision.kind === "forward";
    // Who does not want recursion does not want somebody else's answer.
    const settled = isForeign && !head.recursionDesired ? ({ kind: "refused" } as const) : decision;
    counters[KIND_COUNTERS[settled.kind]]++;
    const limit = limitOf(head, source);
    if (settled.kind !== "forward") return decidedReply(head, this.#rotated(settled), limit);
    const { networkName, address: client } = source;
    const { upstreams } = settled;
    const { authenticData } = message.flags;
    return this.#forward({ head, authenticData, upstreams, networkName, client }, limit);
  }

  async #forward(query: ForwardedQuery, limitBytes: number): Promise<Uint8Array> {
    const { forwarder, counters } = this.#options;
    const answer = await forwarder.ask(query);
    if (answer === null) {
      counters.upstreamFailures++;
      return emptyReply(query.head, "serverFailure");
    }
    return answer.length <= limitBytes ? answer : cutReply(query.head, answer, limitBytes);
  }

  #rotated<T extends Decision>(decision: T): T {
    if (decision.kind !== "addresses") return decision;
    const { addresses } = decision;
    const from = Math.floor(this.#options.random() * addresses.length);
    return { ...decision, addresses: [...addresses.slice(from), ...addresses.slice(0, from)] };
  }
}

/**
 * Longest query that is read: a question of the longest name, and options, of which the largest is padding to a multiple of
 * 128 bytes. Source: RFC 8467 §4.1.
 */
export const LONGEST_QUERY_BYTES = 4_096;
/** One OPT record, one TSIG or SIG(0), and one to spare. */
const MOST_ADDITIONAL = 3;

/** Looks at the header only: what is not a standard query is not decoded, nor what no asker sends. Null: nothing wrong. */
function faultOfHeader(bytes: Uint8Array): Fault | null {
  if (bytes.length < HEADER_BYTES) return "drop";
  const header = readHeader(bytes).value;
  if (header.response) return "drop";
  if (header.opcode !== OPCODE_QUERY) return "notImplemented";
  return isQueryShaped(header) && bytes.length <= LONGEST_QUERY_BYTES ? null : "formatError";
}

/** One question, and records only where a query has some: an IXFR brings the SOA record that the asker has. */
function isQueryShaped({ questionCount, answerCount, authorityCount, additionalCount }: Header): boolean {
  return (
    questionCount === 1 && answerCount === 0 && authorityCount <= 1 && additionalCount <= MOST_ADDITIONAL
  );
}

function tryDecode(bytes: Uint8Array): Message | null {
  try {
    return decodeMessage(bytes);
  } catch {
    return null;
  }
}

type Head = Pick<Message, "id" | "flags" | "questions" | "additional">;

function headOf({ id, flags, questions, additional }: Head): QueryHead {
  const { opcode, recursionDesired, checkingDisabled } = flags;
  return {
    id,
    opcode,
    recursionDesired,
    checkingDisabled,
    question: questions[0] ?? null,
    edns: ednsOf({ additional }),
  };
}

/** Of a message that cannot be read as a whole: with its question, if that can be. */
function headOfBytes(bytes: Uint8Array): QueryHead {
  try {
    return headOf({ ...decodeHead(bytes), additional: [] });
  } catch {
    const { id, ...flags } = readHeader(bytes).value;
    return headOf({ id, flags, questions: [], additional: [] });
  }
}

function limitOf({ edns }: QueryHead, { transport }: QuerySource): number {
  return transport === "tcp" ? LONGEST_MESSAGE_BYTES : udpLimit(edns, LARGEST_UDP_BYTES);
}

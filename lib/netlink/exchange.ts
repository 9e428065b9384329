/**
 * Several requests on their way, and the answers that came for them so far.
 *
 * Plain loops, here and in the codecs: on the runtime that plugins are compiled for, the first call of `filter`,
 * `reduce` or `Array.from` costs as much as several round trips to the kernel.
 */
import { asFairleadError, FairleadError } from "../errors.ts";
import {
  concatBytes,
  decodeError,
  encodeMessage,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  NLMSG_MIN_TYPE,
} from "./message.ts";
import { NetlinkError, type NetlinkRequest, type NetlinkResult } from "./request.ts";

interface Pending {
  readonly request: NetlinkRequest<unknown>;
  readonly replies: unknown[];
  settled: boolean;
  warning?: string;
  error?: FairleadError;
}

/** How the kernel serves the requests of one datagram. */
export type ServingOrder =
  /**
   * One after the other, each on its own (rtnetlink): the answer to the last one tells that all were served, and that
   * those without a refusal succeeded. So only the last asks for an acknowledgement, unless it gets a reply anyway.
   */
  | "in-turn"
  /** As one (an nfnetlink batch): the requests say themselves which of them ask for an acknowledgement. */
  | "as-one";

/**
 * Matches answers to requests by sequence number: the request at index `i` has `firstSequence + i`.
 *
 * In turn, it is finished when the last request is answered. As one, when every request that asked for an
 * acknowledgement has one; a refusal of a request that did *not* ask for one finishes it as well: the kernel
 * refused the whole batch and may send nothing more. Answers that still come then are strays, which the next
 * exchange ignores.
 *
 * Source: net/netlink/af_netlink.c netlink_rcv_skb; net/netfilter/nfnetlink.c nfnetlink_rcv_batch.
 */
export class Exchange {
  readonly #pending: Pending[] = [];
  readonly #firstSequence: number;
  readonly #order: ServingOrder;
  #unsettled = 0;
  #refusal: FairleadError | undefined;

  constructor(
    requests: readonly NetlinkRequest<unknown>[],
    firstSequence: number,
    order: ServingOrder = "in-turn",
  ) {
    this.#firstSequence = firstSequence;
    this.#order = order;
    for (const request of requests) {
      const settled = order === "as-one" && request.acknowledge === false;
      this.#pending.push({ request, replies: [], settled });
      if (!settled) this.#unsettled++;
    }
  }

  get finished(): boolean {
    return this.#unsettled === 0 || this.#refusal !== undefined;
  }

  /** The first request that has no answer yet. */
  get waitingFor(): NetlinkRequest<unknown> {
    for (const { request, settled } of this.#pending) if (!settled) return request;
    throw new FairleadError({
      code: "internal",
      operation: "read netlink answer",
      reason: "nothing is awaited",
    });
  }

  /** All requests, ready to be sent at once. */
  datagram(): Uint8Array {
    const messages: Uint8Array[] = [];
    let sequence = this.#firstSequence;
    for (const pending of this.#pending) {
      const { request } = pending;
      const flags = request.flags | NLM_F_REQUEST | (this.#asksForAck(pending) ? NLM_F_ACK : 0);
      messages.push(encodeMessage({ ...request, flags, sequence: sequence++, portId: 0 }));
    }
    return concatBytes(messages);
  }

  #asksForAck(pending: Pending): boolean {
    if (this.#order === "as-one") return !pending.settled;
    return this.#isLast(pending) && pending.request.decodeReply === undefined;
  }

  #isLast(pending: Pending): boolean {
    return this.#pending[this.#pending.length - 1] === pending;
  }

  /** Takes one message that came; one that answers none of the requests is ignored. */
  take(message: NetlinkMessage): void {
    const pending = this.#pending[message.sequence - this.#firstSequence];
    if (pending === undefined) return;
    if (message.type === NLMSG_ERROR) this.#acknowledge(pending, message);
    else if (message.type >= NLMSG_MIN_TYPE) this.#reply(pending, message);
  }

  #reply(pending: Pending, message: NetlinkMessage): void {
    decodeInto(pending, message);
    if (this.#order === "in-turn" && this.#isLast(pending) && pending.request.decodeReply)
      this.#settle(pending);
  }

  #acknowledge(pending: Pending, message: NetlinkMessage): void {
    const outcome = decodeError(message);
    if (outcome.errno !== 0) pending.error ??= new NetlinkError(pending.request, outcome);
    else if (outcome.extack.text) pending.warning = outcome.extack.text;
    if (this.#order === "as-one" && pending.request.acknowledge === false) this.#refusal ??= pending.error;
    this.#settle(pending);
  }

  /** In turn, the answer to the last request settles those before it as well. */
  #settle(pending: Pending): void {
    const all = this.#order === "in-turn" && this.#isLast(pending) ? this.#pending : [pending];
    for (const one of all) {
      if (!one.settled) this.#unsettled--;
      one.settled = true;
    }
  }

  /** One result for each request. Those without an answer share the refusal that ended the exchange. */
  results(): NetlinkResult<unknown>[] {
    const results: NetlinkResult<unknown>[] = [];
    for (const pending of this.#pending) results.push(this.#resultOf(pending));
    return results;
  }

  #resultOf({ request, replies, settled, warning, error: own }: Pending): NetlinkResult<unknown> {
    const answered = settled && (this.#order === "in-turn" || request.acknowledge !== false);
    const error = own ?? (answered ? undefined : this.#refusal);
    if (error) return { ok: false, error };
    return warning === undefined ? { ok: true, replies } : { ok: true, replies, warning };
  }
}

/** A reply that cannot be decoded fails its request, not the others, whose answers are still to be read. */
function decodeInto(pending: Pending, message: NetlinkMessage): void {
  const { request, replies } = pending;
  if (!request.decodeReply) return;
  try {
    const reply = request.decodeReply(message);
    if (request.accepts?.(reply) ?? true) replies.push(reply);
  } catch (error) {
    pending.error ??= asFairleadError(error, request.operation, request.object);
  }
}

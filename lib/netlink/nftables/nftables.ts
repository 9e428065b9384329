/**
 * nf_tables of one network namespace: transactions, and questions.
 *
 * Imports nothing that knows rules or elements: it is on the path of an ADD that finds everything in place.
 */
import { FairleadError } from "../../errors.ts";
import type { FoundOf, NetlinkConnection, ResultsOf } from "../connection.ts";
import { isAbsent, type NetlinkRequest } from "../request.ts";
import { batch } from "./batch.ts";
import { getGen } from "./gen.ts";

/**
 * How often {@link NFTables.update} begins again. Every time, some transaction of someone else went through; so
 * this many others would have to come one after the other, each between a read and a commit.
 */
export const UPDATE_ATTEMPTS = 200;

const OUTDATED = Symbol("read while it changed");

/**
 * Runs over a connection on a NETLINK_NETFILTER socket and, like it, serves one caller at a time.
 *
 * Closing a socket that deleted something takes some 13 ms, because the kernel waits there until no packet can
 * still see what was deleted. Adding and reading costs nothing of the kind.
 * Source: net/netfilter/nf_tables_api.c nft_rcv_nl_event.
 */
export class NFTables {
  readonly #connection: NetlinkConnection;

  constructor(connection: NetlinkConnection) {
    this.#connection = connection;
  }

  /**
   * Commits all requests as one transaction. None at all is no transaction.
   *
   * @param generation commits only if it is still the current one: otherwise the error is ERESTART.
   * @throws {NetlinkError} of the first request that was refused; nothing took effect.
   */
  commit(requests: readonly NetlinkRequest<unknown>[], generation?: number): void {
    if (requests.length > 0) this.#connection.transact(batch(requests, generation));
  }

  /**
   * Reads, decides, and commits what was decided, if nobody committed anything since the reading; begins again
   * otherwise. So `decide` sees the rules exactly as its requests will find them. It must only read.
   *
   * @param purpose for the error: "ensure masquerading of network web".
   * @throws {FairleadError} `unavailable` after {@link UPDATE_ATTEMPTS} attempts; nothing took effect.
   */
  update(purpose: string, decide: () => readonly NetlinkRequest<unknown>[]): void {
    this.#whileCurrent(purpose, (generation) => this.commit(decide(), generation));
  }

  /**
   * Reads several things as they were at one time: begins again when somebody committed something meanwhile.
   *
   * @throws {FairleadError} `unavailable` after {@link UPDATE_ATTEMPTS} attempts.
   */
  read<T>(purpose: string, reader: () => T): T {
    return this.#whileCurrent(purpose, (generation) => {
      const result = reader();
      return this.generation() === generation ? result : OUTDATED;
    });
  }

  /**
   * Waits for a commit that is under way. Without this, a reading may be of an older generation than the number
   * says: a commit raises the number first, and makes its changes visible a moment later, both under the lock that
   * every transaction takes, even one of no messages.
   *
   * Source: net/netfilter/nf_tables_api.c nf_tables_commit, nf_tables_valid_genid.
   */
  #settle(): void {
    this.#connection.transact(batch([]));
  }

  /** What fails because it saw one thing before and another thing after somebody's commit is tried again, too. */
  #whileCurrent<T>(purpose: string, action: (generation: number) => T | typeof OUTDATED): T {
    for (let attempt = 1; attempt <= UPDATE_ATTEMPTS; attempt++) {
      const generation = this.generation();
      this.#settle();
      try {
        const result = action(generation);
        if (result !== OUTDATED) return result;
      } catch (error) {
        if (this.generation() === generation) throw error;
      }
    }
    throw tooBusy(purpose);
  }

  /** The current generation. */
  generation(): number {
    const { id } = this.#connection.get(getGen());
    if (id !== undefined) return id;
    throw new FairleadError({
      code: "decode-failure",
      operation: "read generation of nftables",
      reason: "the kernel's answer has no NFTA_GEN_ID",
    });
  }

  /** One object, or undefined when there is none. */
  find<T>(request: NetlinkRequest<T>): T | undefined {
    return this.#connection.find(request);
  }

  /** Asks several things in one datagram, and says what became of each question. They are answered one by one. */
  ask<const R extends readonly NetlinkRequest<unknown>[]>(requests: R): ResultsOf<R> {
    return this.#connection.attempt(requests);
  }

  /** Several objects in one exchange, each undefined when there is none. @throws {NetlinkError} of another refusal. */
  findAll<const R extends readonly NetlinkRequest<unknown>[]>(requests: R): FoundOf<R> {
    return this.#connection.findAll(requests);
  }

  /** All objects of a kind. None, when what they are in does not exist. */
  list<T>(request: NetlinkRequest<T>): readonly T[] {
    try {
      return this.#connection.dump(request);
    } catch (error) {
      if (isAbsent(error)) return [];
      throw error;
    }
  }
}

function tooBusy(purpose: string): FairleadError {
  return new FairleadError({
    code: "unavailable",
    operation: purpose,
    reason: `other programs changed nftables during each of ${UPDATE_ATTEMPTS} attempts`,
    hint: "find out what changes it all the time (`nft monitor`), and try again",
  });
}

/**
 * Networks that the service's log says were removed.
 *
 * The log may hold millions of events, and looking for a kind of them means looking at all. So it is read once, and from then on
 * only what is new; another log is read anew.
 */
import { FairleadError } from "../../lib/errors.ts";
import type { EventPlace } from "../../lib/ipam/api.ts";
import type { NodeService } from "../base/part.ts";
import type { Change } from "../reconcile/pass-loop.ts";

const PAGE_EVENTS = 10_000;

export class RemovalLog {
  readonly #service: Pick<NodeService, "info" | "listEvents">;
  readonly #pageEvents: number;
  readonly #ids = new Set<string>();
  readonly #names = new Set<string>();
  /** Up to where the log was read. */
  #place: EventPlace | null = null;

  constructor(service: Pick<NodeService, "info" | "listEvents">, pageEvents = PAGE_EVENTS) {
    this.#service = service;
    this.#pageEvents = pageEvents;
  }

  /** False: nothing was ever read. */
  get isRead(): boolean {
    return this.#place !== null;
  }

  /** IDs of networks that were removed, as far as was read. */
  get ids(): ReadonlySet<string> {
    return this.#ids;
  }

  /** Names that removed networks had; others may have them now. */
  get names(): ReadonlySet<string> {
    return this.#names;
  }

  /** Takes what an event has told already. */
  note({ kind, networkId, networkName }: Change): void {
    if (kind !== "network-removed") return;
    this.#ids.add(networkId);
    this.#names.add(networkName);
  }

  /** Reads what the log holds by now. @throws unavailable */
  async read(): Promise<void> {
    const { revision, logId } = await this.#service.info();
    if (this.#place?.logId !== logId) this.#forget();
    try {
      await this.#readOn(logId);
    } catch (thrown) {
      if (!(thrown instanceof FairleadError && thrown.code === "compacted")) throw thrown;
      // What lies between is gone, and with it what it said: nothing that is known becomes wrong by that.
      this.#place = null;
      await this.#readOn(logId);
    }
    this.#place = { revision, logId };
  }

  async #readOn(logId: string): Promise<void> {
    let since = this.#place?.revision;
    for (;;) {
      const asked = { kind: "network-removed", limit: this.#pageEvents, logId } as const;
      const page = await this.#service.listEvents({ ...asked, ...(since !== undefined && { since }) });
      for (const event of page) this.note(event);
      since = page.at(-1)?.revision;
      if (page.length < this.#pageEvents) return;
    }
  }

  #forget(): void {
    this.#place = null;
    this.#ids.clear();
    this.#names.clear();
  }
}

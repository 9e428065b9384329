/**
 * Keeps the names equal to the service's state: level-triggered, by events.
 *
 * An event only says where to look: what a container has on a network is then asked for, so that many events about one
 * container cost one question, and one that was missed is made good by the next. On a reset everything is listed.
 * What was learned is put into the names in one go.
 */
import type { ContainerLink } from "../../lib/host/container-links.ts";
import type { ContainerUpstream } from "../../lib/host/container-upstreams.ts";
import type { Endpoint, Event, IpamService } from "../../lib/ipam/api.ts";
import type { Logger } from "../../lib/log.ts";
import type { EndpointsChange, Names } from "./names.ts";

/** Questions to the service at once. */
const CONCURRENCY = 16;
/** Pause after the service did not answer. */
const RETRY_MS = 500;

export interface FollowerOptions {
  readonly service: Pick<IpamService, "listNetworks" | "listEndpoints">;
  readonly names: Names;
  readonly logger: Logger;
  /** The links of a container; asked for when it is on a network that has no other names. */
  readonly linksOf: (containerId: string) => readonly ContainerLink[];
  /** The name servers that a container has for itself. */
  readonly upstreamsOf: (containerId: string) => readonly ContainerUpstream[];
  /** Called after names have changed. */
  readonly onChanged: (change: NamesChange) => void;
}

/** What of the names has changed. */
export interface NamesChange {
  /** Networks were listed anew. */
  readonly networks: boolean;
  /** Networks with new or lost attachments. */
  readonly touched: ReadonlySet<string>;
}

interface Place {
  readonly networkName: string;
  readonly containerId: string;
}

interface Work {
  readonly everything: boolean;
  readonly networks: boolean;
  readonly places: readonly Place[];
}

export class Follower {
  readonly #options: FollowerOptions;
  #everything = false;
  #networks = false;
  #places = new Map<string, Place>();
  /** Things that were handed over, and how many of them are in the names. */
  #taken = 0;
  #done = 0;
  #waiters: { readonly count: number; readonly resolve: () => void }[] = [];
  #isRunning = false;
  #isClosed = false;
  #trouble = "";

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Why the names may be out of date; empty when they are not. */
  get trouble(): string {
    return this.#trouble;
  }

  onReset(): void {
    this.#everything = true;
    this.#wake();
  }

  onEvent({ kind, networkName, containerId }: Event): void {
    if (kind.startsWith("network-")) this.#networks = true;
    else if (containerId !== "")
      this.#places.set(JSON.stringify([networkName, containerId]), { networkName, containerId });
    else return;
    this.#wake();
  }

  /** Resolves when everything that was handed over so far is in the names. */
  settled(): Promise<void> {
    if (this.#done === this.#taken) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ count: this.#taken, resolve }));
  }

  close(): void {
    this.#isClosed = true;
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  #wake(): void {
    this.#taken++;
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#done < this.#taken && !this.#isClosed) {
      const count = this.#taken;
      const work = this.#take();
      try {
        await this.#apply(work);
        this.#finish(count);
      } catch (thrown) {
        this.#putBack(work, (thrown as Error).message);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      }
    }
    this.#isRunning = false;
  }

  #take(): Work {
    const work = {
      everything: this.#everything,
      networks: this.#networks,
      places: [...this.#places.values()],
    };
    this.#everything = false;
    this.#networks = false;
    this.#places = new Map();
    return work;
  }

  #putBack({ everything, networks, places }: Work, reason: string): void {
    if (reason !== this.#trouble)
      this.#options.logger.warn({ reason }, "dns: names cannot be listed, trying again");
    this.#trouble = reason;
    this.#everything ||= everything;
    this.#networks ||= networks;
    for (const place of places)
      this.#places.set(JSON.stringify([place.networkName, place.containerId]), place);
  }

  #finish(count: number): void {
    this.#done = count;
    this.#trouble = "";
    const due = this.#waiters.filter((waiter) => waiter.count <= count);
    this.#waiters = this.#waiters.filter((waiter) => waiter.count > count);
    for (const { resolve } of due) resolve();
  }

  async #apply(work: Work): Promise<void> {
    const { service, names, onChanged } = this.#options;
    const isUnknown = work.places.some(({ networkName }) => names.network(networkName) === undefined);
    const mustList = work.everything || work.networks || isUnknown;
    const networks = mustList ? await service.listNetworks() : null;
    const changes = work.everything ? await this.#listAll() : await this.#listPlaces(work.places);
    // From here to the end nothing is awaited: no query sees half of it.
    if (networks) names.setNetworks(networks);
    for (const change of changes) names.setEndpoints(change);
    const touched = new Set(changes.map(({ networkName }) => networkName));
    onChanged({ networks: networks !== null, touched });
  }

  /** Everything that is, and nothing for every attachment that is not any more. */
  async #listAll(): Promise<EndpointsChange[]> {
    const byPlace = new Map<string, Endpoint[]>();
    for (const { networkName, containerId } of this.#options.names.attachments()) {
      byPlace.set(JSON.stringify([networkName, containerId]), []);
    }
    for (const endpoint of await this.#options.service.listEndpoints({})) {
      const key = JSON.stringify([endpoint.networkName, endpoint.containerId]);
      const same = byPlace.get(key);
      if (same) same.push(endpoint);
      else byPlace.set(key, [endpoint]);
    }
    return [...byPlace].map(([key, endpoints]) => {
      const [networkName = "", containerId = ""] = JSON.parse(key) as string[];
      return this.#change({ networkName, containerId }, endpoints);
    });
  }

  async #listPlaces(places: readonly Place[]): Promise<EndpointsChange[]> {
    const changes: EndpointsChange[] = [];
    for (let at = 0; at < places.length; at += CONCURRENCY) {
      const group = places.slice(at, at + CONCURRENCY).map((place) => this.#listPlace(place));
      changes.push(...(await Promise.all(group)));
    }
    return changes;
  }

  async #listPlace(place: Place): Promise<EndpointsChange> {
    return this.#change(place, await this.#options.service.listEndpoints({ ...place }));
  }

  #change(place: Place, endpoints: readonly Endpoint[]): EndpointsChange {
    const { linksOf, upstreamsOf } = this.#options;
    if (endpoints.length === 0) return { ...place, endpoints, links: [] };
    const links = place.networkName === "bridge" ? this.#read(place, linksOf, "links") : [];
    return { ...place, endpoints, links, upstreams: this.#read(place, upstreamsOf, "upstreams") };
  }

  #read<T>({ containerId }: Place, read: (containerId: string) => readonly T[], what: string): readonly T[] {
    try {
      return read(containerId);
    } catch (thrown) {
      this.#options.logger.warn({ containerId, reason: (thrown as Error).message }, `dns: no ${what}`);
      return [];
    }
  }
}

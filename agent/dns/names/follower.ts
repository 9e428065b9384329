/**
 * Keeps the names equal to the service's state: level-triggered, by events.
 *
 * An event only says where to look: what a container has on a network is then asked for, so that many events about one
 * container cost one question, and one that was missed is made good by the next. On a reset everything is listed.
 * What was learned is put into the names in one go.
 */

import type { Endpoint, Event, IpamService } from "../../../lib/ipam/api.ts";
import type { Logger } from "../../../lib/log.ts";
import type { ContainerUpstream } from "../../../lib/runtime/container-upstreams.ts";
import type { ContainerLink } from "../../../lib/runtime/named-links.ts";
import { Progress } from "../../reconcile/progress.ts";
import { WorkQueue } from "../../reconcile/work-queue.ts";
import type { EndpointsChange, Names } from "./names.ts";

/** Questions to the service at once. */
const CONCURRENCY = 16;
/** Pauses after the service did not answer. */
const RETRY = { firstMs: 100, mostMs: 1_000 };

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

/** What has to be listed anew. */
interface Work {
  readonly everything: boolean;
  readonly networks: boolean;
  /** By their texts. */
  readonly places: ReadonlyMap<string, Place>;
}

const NOTHING: Work = { everything: false, networks: false, places: new Map() };

function merged(before: Work, later: Work): Work {
  return {
    everything: before.everything || later.everything,
    networks: before.networks || later.networks,
    places: new Map([...before.places, ...later.places]),
  };
}

export class Follower {
  readonly #options: FollowerOptions;
  readonly #queue: WorkQueue<Work>;
  /** How many things were handed over, and how many of them are in the names. */
  #taken = 0;
  /** How many things were handed over before the work that is under way. */
  #under = 0;
  readonly #done = new Progress(0);
  #trouble = "";

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      limits: RETRY,
      merge: merged,
      work: (_key, work) => this.#follow(work),
      onSuccess: () => this.#done.advance(this.#under),
      onFailure: ({ thrown }) => this.#failed((thrown as Error).message),
    });
  }

  /** Why the names may be out of date; empty when they are not. */
  get trouble(): string {
    return this.#trouble;
  }

  onReset(): void {
    this.#want({ ...NOTHING, everything: true });
  }

  onEvent({ kind, networkName, containerId }: Event): void {
    if (kind.startsWith("network-")) this.#want({ ...NOTHING, networks: true });
    else if (containerId !== "") {
      const key = JSON.stringify([networkName, containerId]);
      this.#want({ ...NOTHING, places: new Map([[key, { networkName, containerId }]]) });
    }
  }

  /** Resolves when everything that was handed over so far is in the names. */
  settled(): Promise<void> {
    return this.#done.reached(this.#taken);
  }

  close(): void {
    void this.#queue.close();
    this.#done.close();
  }

  #want(work: Work): void {
    this.#taken++;
    this.#queue.want("names", work);
  }

  async #follow(work: Work): Promise<void> {
    this.#under = this.#taken;
    await this.#apply(work);
    this.#trouble = "";
  }

  #failed(reason: string): void {
    if (reason !== this.#trouble)
      this.#options.logger.warn({ reason }, "dns: names cannot be listed, trying again");
    this.#trouble = reason;
  }

  async #apply(work: Work): Promise<void> {
    const { service, names, onChanged } = this.#options;
    const places = [...work.places.values()];
    const isUnknown = places.some(({ networkName }) => names.network(networkName) === undefined);
    const mustList = work.everything || work.networks || isUnknown;
    const networks = mustList ? await service.listNetworks() : null;
    const changes = work.everything ? await this.#listAll() : await this.#listPlaces(places);
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

/**
 * Which holders of addresses are there, and which are gone, by the links and namespaces of this node.
 *
 * It must never be wrong in one direction: who is there keeps its address. So whatever cannot be told counts as there.
 */
import { nameText } from "../../lib/host/attachment/alias.ts";
import { listAttached } from "../../lib/host/attachment/attached.ts";
import { bridgeAliasOf } from "../../lib/host/bridge/identity.ts";
import { listLinksOfKind } from "../../lib/host/links.ts";
import type { Lease, Network } from "../../lib/ipam/api.ts";
import { rulesOf } from "../../lib/ipam/network-options.ts";
import type { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { type CachedAttachment, ResultCache } from "../../lib/runtime/cache.ts";
import { loadConflists } from "../../lib/runtime/conflist-directory.ts";
import { isNetnsThere } from "./found.ts";

/** What becomes of a lease: there, with what shows it; gone, likewise; or nothing that could be seen. */
export interface Verdict {
  readonly holder: "there" | "gone" | "unknown";
  /** For people: what was looked at. */
  readonly evidence: string;
}

const BRIDGE = "fairlead-bridge";

export interface HolderPlaces {
  readonly cacheDirectory: string;
  readonly confDirectory: string;
}

/** What this node looked like when it was asked. */
export class Holders {
  /** Host ends by the key that their alias says. */
  readonly #links: ReadonlyMap<string, string>;
  /** True when some alias holds only the hash of its key. */
  readonly #hasHashes: boolean;
  readonly #cached: ReadonlyMap<string, CachedAttachment>;
  /** Aliases of bridges. */
  readonly #bridges: ReadonlySet<string>;
  /** The first plugin of each network's conflist, as it is today. */
  readonly #plugins: ReadonlyMap<string, string | undefined>;

  /** @throws FairleadError kernel-refused, io-failure */
  constructor(connection: NetlinkConnection, { cacheDirectory, confDirectory }: HolderPlaces) {
    const links = listAttached(connection);
    this.#links = new Map(
      links.flatMap(({ key, hostIfname }) => (key === null ? [] : [[nameText(key), hostIfname]])),
    );
    this.#hasHashes = links.some(({ key }) => key === null);
    const entries = new ResultCache(cacheDirectory).list();
    this.#cached = new Map(entries.map((entry) => [nameText(entry), entry]));
    this.#bridges = new Set(listLinksOfKind(connection, "bridge").map(({ alias }) => alias));
    const { networks } = loadConflists(confDirectory);
    this.#plugins = new Map(networks.map(({ conflist: { name, plugins } }) => [name, plugins[0]?.type]));
  }

  /**
   * Of an attachment for which no call is under way, as its lock tells: an ADD has a lease before it has a link.
   * @param network of the lease; null where the service does not say
   */
  judge(lease: Lease, network: Network | null): Verdict {
    const key = nameText(lease);
    const link = this.#links.get(key);
    if (link !== undefined) return { holder: "there", evidence: `link ${link}` };
    const entry = this.#cached.get(key) ?? null;
    if (this.#hasHashes) return { holder: "unknown", evidence: "a link whose alias tells no key" };
    if (this.#makesLink(lease, entry, network)) return { holder: "gone", evidence: "no link on this host" };
    if (entry === null || entry.netns === "") return { holder: "unknown", evidence: "nothing here tells" };
    return isNetnsThere(entry)
      ? { holder: "there", evidence: `namespace ${entry.netns}` }
      : { holder: "gone", evidence: `no namespace ${entry.netns}` };
  }

  /** True when the holder has a link on the host for certain: its plugin is ours, or its network's is. */
  #makesLink(lease: Lease, entry: CachedAttachment | null, network: Network | null): boolean {
    if (entry !== null) return entry.conflist.plugins[0]?.type === BRIDGE;
    // Interface plugins of ours record one; another plugin that runs `fairlead-ipam` has none to give.
    if (lease.mac === "" || network === null || !rulesOf(network.driver)?.isBridged) return false;
    return network.origin !== "conflist" || this.#isOfOurBridge(network.name);
  }

  /** The service does not know a conflist's plugin: its bridge or the conflist of today says it, and nothing may say another one. */
  #isOfOurBridge(networkName: string): boolean {
    const plugin = this.#plugins.get(networkName);
    if (plugin !== undefined) return plugin === BRIDGE;
    return this.#bridges.has(bridgeAliasOf(networkName));
  }
}

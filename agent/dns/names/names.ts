/**
 * Who is called what, on which network: the names that the node's DNS server answers from.
 *
 * Plain maps, changed in place. A change is made without an `await` in it, and a lookup too, so that each query sees
 * the names as they were before a change or after it, never in between. A change costs what it changes, however many
 * containers there are.
 *
 * Whom a name is told is decided by where the asker is: by its address on the network that it asks from, it is known
 * as a container, and sees the names of all networks that this container is on, and no others.
 */
import { type Address, formatAddress, parseAddress, tryParseAddress } from "../../../lib/addr/address.ts";
import { isFullContainerId, isHostName } from "../../../lib/addr/host-name.ts";
import { type Prefix, parseInterfaceAddress, parsePrefix, prefixContains } from "../../../lib/addr/prefix.ts";
import { foldName } from "../../../lib/dns/name.ts";
import type { Endpoint, Network } from "../../../lib/ipam/api.ts";
import type { ContainerUpstream } from "../../../lib/runtime/container-upstreams.ts";
import type { ContainerLink } from "../../../lib/runtime/named-links.ts";

const SHORT_ID_DIGITS = 12;

/** One network, as far as names go. */
export interface NamedNetwork {
  readonly id: string;
  readonly name: string;
  /** False on the predefined `bridge`: there only links have names, as in Docker. */
  readonly servesNames: boolean;
  /** Nothing outside is reached from it: nothing outside is looked up for it. */
  readonly isInternal: boolean;
  readonly driver: string;
  readonly origin: Network["origin"];
  readonly addressSpace: string;
  readonly prefixes: readonly Prefix[];
  readonly gateways: readonly Address[];
}

/** One container on one network. */
export interface Member {
  readonly containerId: string;
  readonly network: NamedNetwork;
  /** Folded; without what is no host name. */
  readonly names: readonly string[];
  /** What its addresses are called, in the case it was given; empty when it has no name at all. */
  readonly primaryName: string;
  readonly addresses: readonly Address[];
}

/** Who asks. */
export interface Asker {
  /** Empty for the host, which asks from the gateway's address. */
  readonly containerId: string;
  /** Networks that it sees. Never empty. */
  readonly networks: readonly NamedNetwork[];
  /** Who is asked about the world on its behalf. None: whom the node asks. */
  readonly upstreams: readonly ContainerUpstream[];
}

/** One container on one network, all its interfaces there. */
export interface EndpointsChange {
  readonly networkName: string;
  readonly containerId: string;
  readonly endpoints: readonly Endpoint[];
  readonly links: readonly ContainerLink[];
  /** The container's own, wherever it is. */
  readonly upstreams?: readonly ContainerUpstream[];
}

interface NetworkEntry {
  readonly network: NamedNetwork;
  /** Folded name → who is called so. */
  readonly byName: Map<string, Set<Member>>;
  /** Canonical text → who holds it. */
  readonly byAddress: Map<string, Member>;
  readonly byContainer: Map<string, Member[]>;
}

export class Names {
  /** By name. A name belongs to one network at a time. */
  readonly #networks = new Map<string, NetworkEntry>();
  /** Folded name of a network → all that have it, in whatever case. */
  #foldedNetworks = new Map<string, NamedNetwork[]>();
  /** Container → names of its networks. */
  readonly #containers = new Map<string, Set<string>>();
  /** Of networks with a gateway, by name: all that share its address (conflists with one subnet). */
  #sharing = new Map<string, readonly string[]>();
  readonly #links = new Map<string, readonly ContainerLink[]>();
  /** Container → who is asked on its behalf. */
  readonly #upstreams = new Map<string, readonly ContainerUpstream[]>();

  get networks(): readonly NamedNetwork[] {
    return [...this.#networks.values()].map(({ network }) => network);
  }

  network(name: string): NamedNetwork | undefined {
    return this.#networks.get(name)?.network;
  }

  /** Number of attachments that have an address. */
  get memberCount(): number {
    let count = 0;
    for (const { byContainer } of this.#networks.values()) {
      for (const members of byContainer.values()) count += members.length;
    }
    return count;
  }

  /** Number of containers that are on some network. */
  get containerCount(): number {
    return this.#containers.size;
  }

  /**
   * Makes these the networks. Those that stay (same id) keep their members; the others' go.
   * Networks without addresses are none here: nobody on them can be named.
   */
  setNetworks(networks: readonly Network[]): void {
    const wanted = new Map(networks.filter(hasAddresses).map((one) => [one.name, namedNetwork(one)]));
    for (const [name, entry] of this.#networks) {
      if (wanted.get(name)?.id !== entry.network.id) this.#removeNetwork(entry);
    }
    for (const network of wanted.values()) this.#putNetwork(network);
    this.#foldedNetworks = Map.groupBy(wanted.values(), ({ name }) => foldName(name));
    this.#sharing = sharingOf(this.networks);
  }

  /** Networks whose gateway address is the network's own, too, in its address space; itself first. */
  sharing(networkName: string): readonly string[] {
    return this.#sharing.get(networkName) ?? [networkName];
  }

  #putNetwork(network: NamedNetwork): void {
    const old = this.#networks.get(network.name);
    // Its pools may have grown: the members refer to the network as it was, which they only compare by entry.
    const entry: NetworkEntry = old
      ? { ...old, network }
      : { network, byName: new Map(), byAddress: new Map(), byContainer: new Map() };
    this.#networks.set(network.name, entry);
  }

  #removeNetwork(entry: NetworkEntry): void {
    for (const containerId of [...entry.byContainer.keys()]) this.#removeMembers(entry, containerId);
    this.#networks.delete(entry.network.name);
  }

  /** Makes `endpoints` all that the container has on the network. A network that is not known has no names. */
  setEndpoints({ networkName, containerId, endpoints, links, upstreams = [] }: EndpointsChange): void {
    const entry = this.#networks.get(networkName);
    if (!entry) return;
    const members = endpoints
      .filter(({ networkId, addresses }) => networkId === entry.network.id && addresses.length > 0)
      .map((endpoint) => memberOf(endpoint, entry.network));
    this.#removeMembers(entry, containerId);
    if (members.length === 0) return;
    for (const member of members) addMember(entry, member);
    entry.byContainer.set(containerId, members);
    this.#containers.set(containerId, (this.#containers.get(containerId) ?? new Set()).add(networkName));
    if (links.length > 0) this.#links.set(containerId, links);
    if (upstreams.length > 0) this.#upstreams.set(containerId, upstreams);
    else this.#upstreams.delete(containerId);
  }

  /** Attachments that are known now, as pairs of network and container. */
  *attachments(): Generator<{ networkName: string; containerId: string }> {
    for (const [networkName, { byContainer }] of this.#networks) {
      for (const containerId of byContainer.keys()) yield { networkName, containerId };
    }
  }

  #removeMembers(entry: NetworkEntry, containerId: string): void {
    for (const member of entry.byContainer.get(containerId) ?? []) dropMember(entry, member);
    entry.byContainer.delete(containerId);
    const on = this.#containers.get(containerId);
    on?.delete(entry.network.name);
    if (on?.size === 0) {
      this.#containers.delete(containerId);
      this.#upstreams.delete(containerId);
    }
    if (!entry.network.servesNames) this.#links.delete(containerId);
  }

  /**
   * Who asks from `source` on the network of the listener that was asked, or on one that shares its gateway: a container by an
   * address that it holds, or the host by the gateway's. Null: nobody whom we know.
   */
  askerAt(networkName: string, source: string): Asker | null {
    const entries = this.sharing(networkName).flatMap((name) => this.#networks.get(name) ?? []);
    for (const { byAddress } of entries) {
      const member = byAddress.get(source);
      if (member) return this.#askerOf(member);
    }
    const networks = entries.map(({ network }) => network);
    const isHost = networks.some(({ gateways }) => gateways.some((one) => formatAddress(one) === source));
    return isHost ? { containerId: "", networks, upstreams: [] } : null;
  }

  #askerOf({ containerId }: Member): Asker {
    const upstreams = this.#upstreams.get(containerId) ?? [];
    return { containerId, networks: this.#networksOf(containerId), upstreams };
  }

  /** True for an address of the network's subnets, held or not. */
  isInside(networkName: string, source: string): boolean {
    const prefixes = this.sharing(networkName).flatMap(
      (name) => this.#networks.get(name)?.network.prefixes ?? [],
    );
    const address = tryParseAddress(source);
    return address !== null && prefixes.some((one) => prefixContains(one, address));
  }

  #networksOf(containerId: string): NamedNetwork[] {
    const names = this.#containers.get(containerId) ?? [];
    return [...names].flatMap((name) => this.#networks.get(name)?.network ?? []);
  }

  /** Everybody whom the asker may call by this (folded) name: on its networks, or by its links. */
  find(asker: Asker, name: string): readonly Member[] {
    const found = asker.networks.flatMap((network) => this.#named(network, name));
    return found.length > 0 ? found : this.#linked(asker, name);
  }

  /** Those of one network, whoever asks. */
  findOn(network: NamedNetwork, name: string): readonly Member[] {
    return this.#named(network, name);
  }

  #named({ name: networkName, servesNames }: NamedNetwork, name: string): readonly Member[] {
    const found = servesNames ? this.#networks.get(networkName)?.byName.get(name) : undefined;
    return found ? [...found] : [];
  }

  #linked(asker: Asker, name: string): readonly Member[] {
    const on = asker.networks.find((network) => !network.servesNames);
    const links = on && this.#links.get(asker.containerId);
    if (!links) return [];
    const { byName } = this.#networks.get(on.name) ?? {};
    const matching = links.filter(({ target, alias }) => [target, alias].map(foldName).includes(name));
    return matching.flatMap(({ target }) => [...(byName?.get(foldName(target)) ?? [])]);
  }

  /** Networks whose name, in whatever case, is `folded`. */
  networksNamed(folded: string): readonly NamedNetwork[] {
    return this.#foldedNetworks.get(folded) ?? [];
  }

  /** Who holds an address on one of the asker's networks. */
  holderOf(asker: Asker, address: Address): Member | undefined {
    const text = formatAddress(address);
    for (const { name, servesNames } of asker.networks) {
      const member = servesNames ? this.#networks.get(name)?.byAddress.get(text) : undefined;
      if (member) return member;
    }
    return undefined;
  }

  /** True for an address of any network: nobody else knows its name. */
  isOurs(address: Address): boolean {
    return this.networks.some(({ prefixes }) => prefixes.some((prefix) => prefixContains(prefix, address)));
  }
}

function hasAddresses({ pools }: Network): boolean {
  return pools.length > 0;
}

function namedNetwork(network: Network): NamedNetwork {
  const { id, name, origin, driver, internal, addressSpace, pools } = network;
  const subnets = pools.flatMap((pool) => pool.subnets);
  return {
    id,
    name,
    driver,
    origin,
    addressSpace,
    servesNames: !(origin === "predefined" && name === "bridge"),
    isInternal: internal,
    prefixes: subnets.map(({ subnet }) => parsePrefix(subnet)),
    gateways: subnets.flatMap(({ gateway }) => (gateway === null ? [] : [parseAddress(gateway)])),
  };
}

/** By name: who has a gateway address in common with it, itself first. */
function sharingOf(networks: readonly NamedNetwork[]): Map<string, readonly string[]> {
  const byGateway = Map.groupBy(
    networks.flatMap((network) => network.gateways.map((gateway) => ({ network, gateway }))),
    ({ network, gateway }) => `${network.addressSpace} ${formatAddress(gateway)}`,
  );
  const sharing = new Map<string, readonly string[]>();
  for (const group of byGateway.values()) {
    const names = [...new Set(group.map(({ network }) => network.name))];
    for (const name of names) sharing.set(name, [...new Set([name, ...(sharing.get(name) ?? []), ...names])]);
  }
  return sharing;
}

function memberOf(endpoint: Endpoint, network: NamedNetwork): Member {
  const { containerId } = endpoint;
  const shortId = isFullContainerId(containerId) ? [containerId.slice(0, SHORT_ID_DIGITS)] : [];
  const valid = [...endpoint.names.filter(isHostName), ...shortId];
  return {
    containerId,
    network,
    names: [...new Set(valid.map(foldName))],
    primaryName: valid[0] ?? "",
    addresses: endpoint.addresses.map(({ address }) => parseInterfaceAddress(address).address),
  };
}

function addMember({ byName, byAddress }: NetworkEntry, member: Member): void {
  for (const name of member.names) byName.set(name, (byName.get(name) ?? new Set()).add(member));
  for (const address of member.addresses) byAddress.set(formatAddress(address), member);
}

function dropMember({ byName, byAddress }: NetworkEntry, member: Member): void {
  for (const name of member.names) {
    const called = byName.get(name);
    called?.delete(member);
    if (called?.size === 0) byName.delete(name);
  }
  for (const address of member.addresses) {
    const text = formatAddress(address);
    if (byAddress.get(text) === member) byAddress.delete(text);
  }
}

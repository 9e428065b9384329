/**
 * Takes in what a node says is attached to it, where the store does not know (docs/backup.md).
 *
 * What is attached is right, and the store is what has to follow: an attachment is bound to the addresses that it has, and
 * whoever holds one of them by the store alone gives it up, unless the node says that it has it too. Nothing here
 * fails as a whole: what cannot be put right is told, and its address is kept out of use.
 */

import {
  type Address,
  addressBits,
  addressEquals,
  compareAddresses,
  formatAddress,
  tryParseAddress,
} from "../../lib/addr/address.ts";
import {
  firstHost,
  formatPrefix,
  type InterfaceAddress,
  lastHost,
  type Prefix,
  parseInterfaceAddress,
  prefixContains,
  prefixOf,
} from "../../lib/addr/prefix.ts";
import { FairleadError } from "../../lib/errors.ts";
import type {
  AttachmentKey,
  Caller,
  FoundAddress,
  FoundAttachment,
  FoundNetwork,
  RangeDeclaration,
  RecoverAnswer,
  RecoverRequest,
  SubnetSpec,
} from "../../lib/ipam/api.ts";
import type { LeaseRecord } from "../../lib/ipam/store.ts";
import { hasSubnet } from "../../lib/ipam/subnet.ts";
import { checkKey, checkNames, checkText } from "../../lib/ipam/validate.ts";
import { attachmentKey, type NetworkState } from "../state/network-state.ts";
import type { Transaction } from "../state/transaction.ts";
import { declareNetwork } from "./declare.ts";
import { isOfEarlierBoot } from "./earlier-boots.ts";
import { createFoundNetwork, DEFAULT_ADDRESS_SPACE, type Settings } from "./networks.ts";
import { releaseLease } from "./release.ts";
import { quarantine } from "./reserve.ts";

const OPERATION = "recover";
const NOT_FOUND = "not found on its node after the store was put back";

/** Whoever asks for addresses or subnets meanwhile. */
export function recoveringError(operation: string): FairleadError {
  return new FairleadError({
    code: "unavailable",
    operation,
    reason:
      "the service is in recovery: its store is another, or an older one, than this boot of the machine has seen, and what is attached has not been told yet",
    hint: "the agent tells it within seconds; where none runs: fairlead ipam recover",
    details: { rule: "recovering" },
  });
}

export interface RecoverFacts {
  readonly caller: Caller;
  readonly settings: Settings;
}

/** @throws invalid-config for keys and texts that no attachment can have */
export function recover(tx: Transaction, request: RecoverRequest, facts: RecoverFacts): RecoverAnswer {
  return new Recovery(tx, request, facts).run();
}

class Recovery {
  readonly #tx: Transaction;
  readonly #request: RecoverRequest;
  readonly #facts: RecoverFacts;
  /** Who has an address by the node's word: its text and address space → key. */
  readonly #found = new Map<string, string>();
  readonly #networks: string[] = [];
  readonly #bound: FoundAttachment[] = [];
  readonly #quarantined: string[] = [];
  readonly #problems: string[] = [];

  constructor(tx: Transaction, request: RecoverRequest, facts: RecoverFacts) {
    this.#tx = tx;
    this.#request = request;
    this.#facts = facts;
  }

  run(): RecoverAnswer {
    const { networks, attachments, addresses } = this.#request;
    for (const network of networks) this.#attempt(`network ${network.name}`, () => this.#addNetwork(network));
    for (const attachment of attachments) {
      const object = `attachment ${attachment.key.containerId} of ${attachment.key.networkName}`;
      if (this.#attempt(object, () => this.#addAttachment(attachment))) continue;
      for (const text of attachment.addresses) this.#attempt(text, () => this.#keepOutHeld(text, object));
    }
    for (const found of addresses) this.#attempt(found.address, () => this.#keepOut(found));
    const [bound, quarantined] = [this.#bound.length, this.#quarantined.length];
    const reason = `${attachments.length} attachments found, ${bound} bound again, ${quarantined} addresses quarantined`;
    this.#tx.note({ kind: "store-recovered", reason });
    return {
      networks: this.#networks,
      bound: this.#bound,
      quarantined: this.#quarantined,
      problems: this.#problems,
    };
  }

  /** What throws has changed nothing yet: everything is checked before it is changed. */
  #attempt(object: string, action: () => void): boolean {
    try {
      action();
      return true;
    } catch (thrown) {
      if (!(thrown instanceof FairleadError)) throw thrown;
      this.#problems.push(`${object}: ${thrown.message}`);
      return false;
    }
  }

  #addNetwork({ id, name, gateways, internal, options }: FoundNetwork): void {
    if (this.#tx.state.network(name) !== undefined || this.#tx.state.networkById(id) !== undefined) return;
    const subnets = gateways.map(subnetOfGateway);
    createFoundNetwork(
      this.#tx,
      { id, name, driver: "bridge", subnets, internal, options },
      this.#facts.settings,
    );
    this.#networks.push(name);
  }

  #addAttachment(found: FoundAttachment): void {
    checkKey(OPERATION, found.key);
    const addresses = found.addresses.map(parseInterfaceAddress);
    const network = this.#networkFor(found, addresses);
    const outcomes = addresses.map((address) => this.#bind(network, found, address.address));
    if (outcomes.includes(true)) this.#bound.push(found);
  }

  /**
   * The attachment's network. A conflist's may be older than the attachment: its configuration was changed since the store was what
   * it is now, and it gets what it lacks.
   */
  #networkFor(found: FoundAttachment, addresses: readonly InterfaceAddress[]): NetworkState {
    const { networkName } = found.key;
    const network = this.#tx.state.network(networkName);
    const lacking = addresses.filter(({ address }) => network?.poolForRequest(address) == null);
    if (network !== undefined && (lacking.length === 0 || network.record.origin !== "conflist"))
      return network;
    const declared = this.#declare(networkName, lacking);
    if (network === undefined) this.#networks.push(networkName);
    return declared;
  }

  /**
   * A conflist's network, which its next ADD declares as it is: until then it has the subnets that are in use. Of a subnet that
   * another network uses, too, it has what lies between its own addresses.
   */
  #declare(networkName: string, addresses: readonly InterfaceAddress[]): NetworkState {
    const subnets = new Map(
      addresses.map(({ address, length }) => {
        const subnet = prefixOf(address, length);
        return [formatPrefix(subnet), subnet];
      }),
    );
    const rangeSets = [...subnets.values()].map((subnet) => [this.#rangeIn(subnet, networkName)]);
    const { network } = declareNetwork(
      this.#tx,
      { networkName, declaration: { rangeSets } },
      this.#facts.settings,
    );
    return network;
  }

  #rangeIn(subnet: Prefix, networkName: string): RangeDeclaration {
    const inUse = this.#foundIn(subnet);
    const whole = { subnet: formatPrefix(subnet), ...gatewayBeside(subnet, inUse) };
    const isShared = inUse.some((one) => one.networkName !== networkName) || this.#isKnown(subnet);
    if (!isShared) return whole;
    const own = inUse.filter((one) => one.networkName === networkName).map(({ address }) => address);
    const [first, ...others] = own.toSorted(compareAddresses);
    if (first === undefined) return whole;
    return {
      ...whole,
      rangeStart: formatAddress(first),
      rangeEnd: formatAddress(others.at(-1) ?? first),
    };
  }

  #isKnown(subnet: Prefix): boolean {
    return this.#tx.state
      .networksOf(DEFAULT_ADDRESS_SPACE)
      .some(({ record }) => hasSubnet(record.pools, subnet));
  }

  /** Addresses of the subnet that attachments were found with. One that cannot be read is judged when it is its turn. */
  #foundIn(subnet: Prefix): { readonly networkName: string; readonly address: Address }[] {
    return this.#request.attachments.flatMap(({ key: { networkName }, addresses }) =>
      addresses
        .flatMap((text) => tryParseAddress(text.split("/")[0] ?? "") ?? [])
        .filter((address) => prefixContains(subnet, address))
        .map((address) => ({ networkName, address })),
    );
  }

  /** Returns whether the store did not know. */
  #bind(network: NetworkState, found: FoundAttachment, address: Address): boolean {
    const { containerId, ifname } = found.key;
    const key = `${network.networkName}/${attachmentKey(containerId, ifname)}`;
    const place = `${network.record.addressSpace} ${formatAddress(address)}`;
    const other = this.#found.get(place);
    if (other !== undefined && other !== key) throw heldTwice(address, other);
    const pool = network.poolForRequest(address);
    if (pool === null) throw notGrantable(network, address);
    this.#found.set(place, key);
    const before = network.slotAt(address)?.record ?? null;
    if (before !== null && isHeldBy(before, found.key)) {
      // Of an earlier one it becomes a stay of its own: a runtime starts containers again after a boot, with their addresses.
      const boot = { node: this.#facts.caller.node, bootId: this.#request.bootId };
      if (!isOfEarlierBoot(before, boot)) return false;
    } else {
      if (before?.state === "bound") releaseLease(this.#tx, network, { lease: before, reason: NOT_FOUND });
      this.#releaseInPool(network, found, pool);
    }
    this.#grant(network, found, { address, pool });
    return true;
  }

  /** The attachment has another address of the pool than the store says. */
  #releaseInPool(network: NetworkState, { key }: FoundAttachment, pool: number): void {
    const held = network.attachment(key.containerId, key.ifname).find((lease) => lease.pool === pool);
    if (held !== undefined) releaseLease(this.#tx, network, { lease: held, reason: NOT_FOUND });
  }

  #grant(network: NetworkState, found: FoundAttachment, place: { address: Address; pool: number }): void {
    const { nowMs, nextRevision: sequence } = this.#tx;
    const before: LeaseRecord | null = network.slotAt(place.address)?.record ?? null;
    const after = {
      ...place,
      addressSpace: network.record.addressSpace,
      networkId: network.record.id,
      state: "bound" as const,
      sequence,
      containerId: found.key.containerId,
      ifname: found.key.ifname,
      node: this.#facts.caller.node,
      bootId: checkText(OPERATION, "bootId", this.#request.bootId),
      mac: checkText(OPERATION, "mac", found.mac),
      names: checkNames(OPERATION, found.names ?? []),
      stickyName: before !== null && isHeldBy(before, found.key) ? before.stickyName : "",
      acquiredAtMs: nowMs,
      sinceMs: nowMs,
      untilMs: null,
      reservation: before?.reservation ?? null,
      quarantine: before?.quarantine ?? null,
    };
    this.#tx.changeLease(network, { before, after }, { kind: "lease-bound", reason: "found attached" });
  }

  /** What is in use by an attachment that could not be bound. */
  #keepOutHeld(text: string, object: string): void {
    const address = formatAddress(parseInterfaceAddress(text).address);
    this.#keepOut({ address, reason: `in use by ${object}` });
  }

  /** Unless a known attachment has it. */
  #keepOut({ address, reason }: FoundAddress): void {
    if (this.#found.has(`${DEFAULT_ADDRESS_SPACE} ${address}`)) return;
    quarantine(this.#tx, { address, reason });
    this.#quarantined.push(address);
  }
}

function isHeldBy({ state, containerId, ifname }: LeaseRecord, key: AttachmentKey): boolean {
  return state === "bound" && containerId === key.containerId && ifname === key.ifname;
}

/** Nobody tells the gateway's address; what a container has is not it. */
function gatewayBeside(
  subnet: Prefix,
  inUse: readonly { readonly address: Address }[],
): Pick<RangeDeclaration, "gateway"> {
  const isTaken = (host: Address) => inUse.some(({ address }) => addressEquals(address, host));
  if (!isTaken(firstHost(subnet)) || isTaken(lastHost(subnet))) return {};
  return { gateway: formatAddress(lastHost(subnet)) };
}

function subnetOfGateway(text: string): SubnetSpec {
  const { address, length } = parseInterfaceAddress(text);
  const isSubnet =
    addressEquals(prefixOf(address, length).address, address) && length < addressBits(address.family) - 1;
  if (isSubnet) return { subnet: text, gateway: null };
  return { subnet: formatPrefix(prefixOf(address, length)), gateway: formatAddress(address) };
}

function heldTwice(address: Address, other: string): FairleadError {
  return new FairleadError({
    code: "address-in-use",
    operation: OPERATION,
    object: formatAddress(address),
    reason: `${other} has it too: two live attachments have one address`,
    hint: "remove one of the containers and make it anew",
  });
}

function notGrantable({ networkName }: NetworkState, address: Address): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: OPERATION,
    object: formatAddress(address),
    reason: `network ${networkName} never hands it out: it is in none of its ranges, or a gateway`,
    hint: "make the container anew, or give the network a range that holds the address",
  });
}

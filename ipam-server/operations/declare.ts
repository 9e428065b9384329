/**
 * Networks declared by conflists: what a caller's range sets mean for the network of that name.
 *
 * A declared range set is one of the network's pools when their ranges overlap; then its bounds replace the
 * pool's. A set that overlaps none is added, also where it shares a subnet with one: several nodes may each
 * declare a part of a subnet, or a subnet of their own, under one network name. An attachment gets addresses
 * of the sets that its own conflist declares. A set that is new takes the place of a pool that nobody declares with it
 * and that holds nothing (a typing error that was corrected); otherwise pools are never removed by a declaration.
 *
 * Leases outside changed ranges stay valid until they are released, but their subnet cannot be taken away
 * from under them. A network made through the API is not changed by a conflist.
 */

import { formatAddress } from "../../lib/addr/address.ts";
import { formatPrefix, type Prefix, prefixContains } from "../../lib/addr/prefix.ts";
import { type AddressRange, formatRange, rangeContains, rangesOverlap } from "../../lib/addr/range.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { NetworkDeclaration } from "../../lib/ipam/api.ts";
import type { NetworkRecord, PoolRecord } from "../../lib/ipam/store.ts";
import {
  checkDisjointPools,
  describePool,
  hasSubnet,
  poolsOfRangeSets,
  unusableOf,
  withheldOf,
} from "../../lib/ipam/subnet.ts";
import { checkInteger, checkName } from "../../lib/ipam/validate.ts";
import type { NetworkState } from "../state/network-state.ts";
import type { Transaction, Unversioned } from "../state/transaction.ts";
import { stateAt } from "../state/views.ts";
import { quarantineUnknown } from "./blank-lease.ts";
import { checkCooling, createDeclaredNetwork, DEFAULT_ADDRESS_SPACE, type Settings } from "./networks.ts";
import { isHeld, makeRoom, takeStrays } from "./overlap.ts";

const OPERATION = "declare network";
const MOST_RANGES = 256;

export interface DeclareRequest {
  readonly networkName: string;
  readonly declaration: NetworkDeclaration;
}

export interface Declared {
  readonly network: NetworkState;
  /** Numbers of the pools that the declaration names, in its order. */
  readonly pools: readonly number[];
  /** True when the network, or addresses of these pools, came with this declaration. */
  readonly isNew: boolean;
}

/**
 * Makes the network be what the declaration says, and tells which of its pools are meant. Repeating a
 * declaration that is in force changes nothing and costs one look-up.
 *
 * @throws invalid-config, subnet-overlap, in-use
 */
export function declareNetwork(tx: Transaction, request: DeclareRequest, settings: Settings): Declared {
  const text = JSON.stringify(request.declaration);
  const network = tx.state.network(request.networkName);
  const known = network?.resolved(text);
  if (network !== undefined && known !== undefined) return { network, pools: known.pools, isNew: false };
  const declared =
    network === undefined ? create(tx, request, settings) : update(tx, network, request.declaration);
  declared.network.rememberResolved(text, { pools: declared.pools });
  return declared;
}

function create(tx: Transaction, { networkName, declaration }: DeclareRequest, settings: Settings): Declared {
  const pools = readRangeSets(declaration);
  const network = createDeclaredNetwork(
    tx,
    {
      name: checkName(OPERATION, "networkName", networkName),
      addressSpace: checkName(OPERATION, "addressSpace", declaration.addressSpace ?? DEFAULT_ADDRESS_SPACE),
      coolingSeconds: checkCooling(OPERATION, declaration.coolingSeconds ?? settings.coolingSeconds),
      pools,
    },
    settings,
  );
  return { network, pools: [...pools.keys()], isNew: true };
}

function readRangeSets({ rangeSets }: NetworkDeclaration): PoolRecord[] {
  const ranges = rangeSets.reduce((count, set) => count + set.length, 0);
  // Which set is empty is said below.
  const least = rangeSets.length === 0 ? 1 : 0;
  checkInteger(OPERATION, "number of ranges", { value: ranges, least, most: MOST_RANGES });
  return poolsOfRangeSets(rangeSets);
}

function update(tx: Transaction, network: NetworkState, declaration: NetworkDeclaration): Declared {
  const { record } = network;
  refuseOtherSpace(record, declaration.addressSpace);
  const { pools, chosen } = mergePools(network, readRangeSets(declaration), tx.nowMs);
  const coolingSeconds = checkCooling(OPERATION, declaration.coolingSeconds ?? record.coolingSeconds);
  if (pools === record.pools && coolingSeconds === record.coolingSeconds) {
    return { network, pools: chosen, isNew: false };
  }
  if (record.origin !== "conflist") throw madeByApi(network, declaration);
  checkDisjointPools(pools);
  makeRoom(tx, { ...record, pools });
  const isNew = !areCovered(pools, record.pools);
  applyChange(tx, network, { ...record, pools, coolingSeconds });
  takeStrays(tx, network);
  return { network, pools: chosen, isNew };
}

/** Whether every range of `pools` lies in one that there was before: then no address is new to the network. */
function areCovered(pools: readonly PoolRecord[], before: readonly PoolRecord[]): boolean {
  const known = before.flatMap(rangesOf);
  return pools
    .flatMap(rangesOf)
    .every(({ first, last }) =>
      known.some((range) => rangeContains(range, first) && rangeContains(range, last)),
    );
}

function rangesOf({ subnets }: PoolRecord): readonly AddressRange[] {
  return subnets.flatMap(({ askable }) => askable);
}

/** The network's pools with the declared ones put in; the same array when nothing changes. */
function mergePools(
  network: NetworkState,
  declared: readonly PoolRecord[],
  nowMs: number,
): { pools: readonly PoolRecord[]; chosen: number[] } {
  const pools = [...network.record.pools];
  const matches = declared.map((pool, index) => matchingPool(network, pool, index));
  const idle = matches.includes(null) ? idlePools(network, nowMs).filter((at) => !matches.includes(at)) : [];
  let changed = false;
  const chosen = declared.map((pool, index) => {
    const at = matches[index] ?? idle.shift() ?? pools.length;
    if (describeFully(pools[at]) !== describeFully(pool)) {
      changed = true;
      pools[at] = pool;
    }
    return at;
  });
  const second = chosen.findIndex((at, index) => chosen.indexOf(at) < index);
  if (second >= 0) throw ambiguous(network, second, "the pool that a range set before it overlaps");
  return { pools: changed ? pools : network.record.pools, chosen };
}

/** Numbers of the pools that hold nothing but what cools down. */
function idlePools(network: NetworkState, nowMs: number): number[] {
  const busy = new Set<number>();
  for (const { record, pool } of network.slots()) {
    if (!isHeld(record, nowMs)) continue;
    busy.add(record.pool);
    if (pool !== null) busy.add(pool.index);
  }
  return [...network.pools.keys()].filter((at) => !busy.has(at));
}

function matchingPool(network: NetworkState, wanted: PoolRecord, index: number): number | null {
  const ranges = wanted.subnets.flatMap((subnet) => subnet.ranges);
  const matches = [...network.record.pools.entries()].filter(([, pool]) =>
    pool.subnets.some((subnet) =>
      subnet.askable.some((own) => ranges.some((range) => rangesOverlap(own, range))),
    ),
  );
  if (matches.length > 1) throw ambiguous(network, index, "several of its pools");
  return matches[0]?.[0] ?? null;
}

/** All that a declaration can change about a pool. */
function describeFully(pool: PoolRecord | undefined): string {
  if (pool === undefined) return "";
  const gateways = pool.subnets.map(({ gateway }) => (gateway === null ? "-" : formatAddress(gateway)));
  const exclusions = pool.subnets.map((subnet) => subnet.exclusions.map(formatRange).join());
  return `${describePool(pool)} ${gateways.join()} ${exclusions.join(";")}`;
}

/** Changes the definition, after making sure that nobody loses the ground under their feet. */
function applyChange(tx: Transaction, network: NetworkState, after: Unversioned<NetworkRecord>): void {
  const subnets = after.pools.flatMap((pool) => pool.subnets.map(({ subnet }) => subnet));
  const withheld = withheldOf(after.pools);
  for (const slot of [...network.slots()]) {
    const { record } = slot;
    const isInSubnet = subnets.some((subnet) => prefixContains(subnet, record.address));
    const isWithheld = withheld.some((range) => rangeContains(range, record.address));
    if (isInSubnet && !(isWithheld && !network.isWithheld(record.address))) continue;
    if (isHeld(record, tx.nowMs))
      throw stillUsed(network, formatAddress(record.address), stateAt(record, tx.nowMs) ?? "held");
    if (!isInSubnet)
      tx.changeLease(
        network,
        { before: record, after: null },
        { kind: "lease-freed", reason: "its subnet is gone" },
      );
  }
  const before = network.record;
  tx.changeNetwork(network, after, `declared: ${after.pools.map(describePool).join("; ")}`);
  keepFormerEdges(tx, network, before);
}

/**
 * A subnet that has grown has hosts where its network and broadcast addresses were. Containers of before know it by its former
 * length and take these for what they were, so nobody gets them until an administrator says that no such container is left.
 */
function keepFormerEdges(tx: Transaction, network: NetworkState, before: NetworkRecord): void {
  const former = before.pools
    .flatMap(({ subnets }) => subnets.map(({ subnet }) => subnet))
    .filter((subnet) => !hasSubnet(network.record.pools, subnet) && hasAttachmentIn(network, subnet));
  for (const subnet of former) {
    const edges = unusableOf(subnet).map(({ first }) => first);
    for (const address of edges.filter((edge) => network.poolForRequest(edge) !== null)) {
      if (network.slotAt(address) !== undefined) continue;
      const reason = `network or broadcast address of ${formatPrefix(subnet)}, which attachments of before still have`;
      quarantineUnknown(tx, network, { address, reason });
    }
  }
}

function hasAttachmentIn(network: NetworkState, subnet: Prefix): boolean {
  for (const { record } of network.slots())
    if (record.state === "bound" && prefixContains(subnet, record.address)) return true;
  return false;
}

function refuseOtherSpace(record: NetworkRecord, addressSpace: string | undefined): void {
  if (addressSpace === undefined || addressSpace === record.addressSpace) return;
  throw new FairleadError({
    code: "invalid-config",
    operation: OPERATION,
    object: "addressSpace",
    reason: `network ${record.name} is in address space ${record.addressSpace}, and the configuration declares ${addressSpace}`,
    hint: "use one address space for one network name",
    details: { field: "addressSpace" },
  });
}

function madeByApi({ networkName, record }: NetworkState, declaration: NetworkDeclaration): FairleadError {
  const has = record.pools.map(describePool).join("; ");
  const made = record.origin === "api" ? "made through the API" : "predefined";
  const declares = readRangeSets(declaration).map(describePool).join("; ");
  return new FairleadError({
    code: "invalid-config",
    operation: OPERATION,
    object: networkName,
    reason: `the configuration declares ${declares}, but the network was ${made} with ${has || "no addresses"}`,
    hint: "leave ranges and coolingSeconds out of the configuration, or give the network there another name",
  });
}

function ambiguous({ record }: NetworkState, index: number, what: string): FairleadError {
  const field = `rangeSets[${index}]`;
  return new FairleadError({
    code: "invalid-config",
    operation: OPERATION,
    object: field,
    reason: `of network ${record.name} it overlaps ${what}: ${record.pools.map(describePool).join("; ")}`,
    hint: "declare range sets that each belong to one pool, or use another network name",
    details: { field },
  });
}

function stillUsed({ networkName }: NetworkState, address: string, state: string): FairleadError {
  return new FairleadError({
    code: "in-use",
    operation: OPERATION,
    object: networkName,
    reason: `the change takes away ${address}, which is ${state}`,
    hint: "remove the containers outside the new subnets first; see them with: fairlead ipam leases",
    details: { address, state },
  });
}

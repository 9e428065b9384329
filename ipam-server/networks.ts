/** Making and removing networks through the API. */

import { highestValue } from "../lib/addr/address.ts";
import { type AddressRange, parseRange } from "../lib/addr/range.ts";
import { FairleadError } from "../lib/errors.ts";
import type { CreateNetworkRequest } from "../lib/ipam/api.ts";
import type { PoolRecord, SubnetRecord } from "../lib/ipam/store.ts";
import {
  checkDisjointPools,
  poolsOfSubnets,
  subnetOfBlock,
  subnetOfSpec,
  subnetRanges,
} from "../lib/ipam/subnet.ts";
import { checkInteger, checkName, checkText } from "../lib/ipam/validate.ts";
import { type BlockPool, lowestFreeBlock } from "./default-pools.ts";
import type { NetworkState } from "./network-state.ts";
import { refuseOverlap } from "./overlap.ts";
import { networkNotFound } from "./state.ts";
import type { Transaction } from "./transaction.ts";

/** What operations need to know beside the state. */
export interface Settings {
  readonly coolingSeconds: number;
  readonly defaultPools: readonly BlockPool[];
  readonly newNetworkId: () => string;
}

export const DEFAULT_ADDRESS_SPACE = "default";
const DEFAULT_DRIVER = "bridge";
/** A year: what should stay away for longer is excluded or quarantined. */
export const MOST_COOLING_SECONDS = 31_536_000;
const MOST_ATTACHMENTS = 2 ** 31;
const MOST_ENTRIES = 256;
const MOST_SUBNETS = 256;
const OPERATION = "create network";

/** @throws already-exists, subnet-overlap, pool-exhausted, invalid-config */
export function createNetwork(
  tx: Transaction,
  request: CreateNetworkRequest,
  settings: Settings,
): NetworkState {
  const name = checkName(OPERATION, "name", request.name);
  const existing = tx.state.network(name);
  if (existing !== undefined) throw alreadyExists(existing);
  const addressSpace = checkName(OPERATION, "addressSpace", request.addressSpace ?? DEFAULT_ADDRESS_SPACE);
  const pools = poolsOfSubnets(chooseSubnets(tx, request, { addressSpace, settings }));
  checkDisjointPools(pools);
  refuseOverlap(tx.state, { networkName: name, addressSpace }, pools);
  return tx.createNetwork({
    id: settings.newNetworkId(),
    name,
    driver: checkName(OPERATION, "driver", request.driver ?? DEFAULT_DRIVER),
    origin: "api",
    addressSpace,
    internal: request.internal ?? false,
    attachable: request.attachable ?? false,
    coolingSeconds: checkCooling(OPERATION, request.coolingSeconds ?? settings.coolingSeconds),
    maxAttachments: checkQuota(request.maxAttachments),
    options: checkEntries("options", request.options ?? {}),
    labels: checkEntries("labels", request.labels ?? {}),
    pools,
    createdAtMs: tx.nowMs,
  });
}

/** A network that a conflist declared. */
export function createDeclaredNetwork(
  tx: Transaction,
  { name, addressSpace, coolingSeconds, pools }: DeclaredNetwork,
  settings: Settings,
): NetworkState {
  refuseOverlap(tx.state, { networkName: name, addressSpace }, pools);
  return tx.createNetwork({
    id: settings.newNetworkId(),
    name,
    driver: DEFAULT_DRIVER,
    origin: "conflist",
    addressSpace,
    internal: false,
    attachable: false,
    coolingSeconds,
    maxAttachments: null,
    options: {},
    labels: {},
    pools,
    createdAtMs: tx.nowMs,
  });
}

export interface DeclaredNetwork {
  readonly name: string;
  readonly addressSpace: string;
  readonly coolingSeconds: number;
  readonly pools: readonly PoolRecord[];
}

/** @throws not-found, in-use */
export function removeNetwork(tx: Transaction, wanted: string): void {
  const network = tx.state.findNetwork("remove network", wanted);
  if (network.attachmentCount > 0) throw stillUsed(network);
  tx.removeNetwork(network);
}

/** The network named exactly so. @throws not-found */
export function networkNamed(tx: Transaction, operation: string, name: string): NetworkState {
  const network = tx.state.network(name);
  if (network === undefined) throw networkNotFound(operation, `network ${name}`);
  return network;
}

export function checkCooling(operation: string, value: number): number {
  return checkInteger(operation, "coolingSeconds", { value, least: 0, most: MOST_COOLING_SECONDS });
}

function checkQuota(value: number | undefined): number | null {
  if (value === undefined) return null;
  return checkInteger(OPERATION, "maxAttachments", { value, least: 1, most: MOST_ATTACHMENTS });
}

function checkEntries(
  field: string,
  entries: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const pairs = Object.entries(entries);
  checkInteger(OPERATION, `number of ${field}`, { value: pairs.length, least: 0, most: MOST_ENTRIES });
  for (const [key, value] of pairs) {
    checkText(OPERATION, `key of ${field}`, key);
    checkText(OPERATION, `${field}.${key}`, value);
  }
  return { ...entries };
}

/** The subnets asked for, and blocks of the default pools for the families that have none but need one. */
function chooseSubnets(
  { state }: Transaction,
  { subnets = [], ipv6 = false, avoid = [] }: CreateNetworkRequest,
  { addressSpace, settings }: { addressSpace: string; settings: Settings },
): SubnetRecord[] {
  checkInteger(OPERATION, "number of subnets", { value: subnets.length, least: 0, most: MOST_SUBNETS });
  const chosen = subnets.map(subnetOfSpec);
  const taken = [
    ...subnetRanges(state.networksOf(addressSpace).flatMap(({ record }) => record.pools)),
    ...avoid.map(parseRange).filter((range) => !isEverything(range)),
  ];
  const lease = (family: 4 | 6) => subnetOfBlock(lowestFreeBlock(settings.defaultPools, family, taken));
  if (chosen.length === 0) chosen.push(lease(4));
  if (ipv6 && !chosen.some(({ subnet }) => subnet.address.family === 6)) chosen.push(lease(6));
  return chosen;
}

/** A default route leads to no place of its own. */
function isEverything({ first, last }: AddressRange): boolean {
  return first.value === 0n && last.value === highestValue(last.family);
}

function alreadyExists({ record }: NetworkState): FairleadError {
  return new FairleadError({
    code: "already-exists",
    operation: OPERATION,
    object: record.name,
    reason: `there is a network of that name, with ID ${record.id.slice(0, 12)}`,
    hint: "choose another name, or remove that network first",
    details: { networkId: record.id },
  });
}

function stillUsed(network: NetworkState): FairleadError {
  const holders = [...network.attachments()].slice(0, 5).map(({ containerId }) => containerId);
  const shown = holders.map((containerId) => containerId.slice(0, 12)).join(", ");
  return new FairleadError({
    code: "in-use",
    operation: "remove network",
    object: network.networkName,
    reason: `${network.attachmentCount} attachments hold addresses of it (container ${shown})`,
    hint: "disconnect or remove its containers first",
    details: { attachments: network.attachmentCount, containers: holders },
  });
}

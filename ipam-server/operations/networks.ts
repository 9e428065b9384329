/** Making and removing networks through the API. */

import { highestValue } from "../../lib/addr/address.ts";
import { type AddressRange, parseRange } from "../../lib/addr/range.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { CreateNetworkRequest, Network } from "../../lib/ipam/api.ts";
import { DRIVER_RULES, type Driver, isolatedFamilies } from "../../lib/ipam/network-options.ts";
import type { NetworkRecord, PoolRecord, SubnetRecord } from "../../lib/ipam/store.ts";
import { checkDisjointPools } from "../../lib/ipam/subnet.ts";
import { poolsOfSubnets, subnetOfBlock, subnetOfSpec } from "../../lib/ipam/subnet-spec.ts";
import { checkInteger, checkName, checkText } from "../../lib/ipam/validate.ts";
import type { NetworkState } from "../state/network-state.ts";
import { networkNotFound } from "../state/state.ts";
import type { Transaction } from "../state/transaction.ts";
import { type BlockPool, freeBlock } from "./default-pools.ts";
import { checkAddressing, checkDriver, checkGatewayModes, refuseSecond } from "./drivers.ts";
import { viewEndpoint } from "./endpoints.ts";
import { makeRoom, takeStrays } from "./overlap.ts";
import { isReservedName, type PredefinedNetwork, predefinedRefusal } from "./predefined.ts";

/** What operations need to know beside the state. */
export interface Settings {
  readonly coolingSeconds: number;
  readonly defaultPools: readonly BlockPool[];
  readonly newNetworkId: () => string;
}

export const DEFAULT_ADDRESS_SPACE = "default";
/** A year: what should stay away for longer is excluded or quarantined. */
const MOST_COOLING_SECONDS = 31_536_000;
const MOST_ATTACHMENTS = 2 ** 31;
const MOST_ENTRIES = 256;
const MOST_SUBNETS = 256;
/** Names of files are made of it, beside the longest container IDs, and have at most 255 bytes. */
const LONGEST_NETWORK_NAME = 128;
/** Endpoints that a refusal names. */
const MOST_NAMED = 20;
const OPERATION = "create network";
const REMOVAL = "remove network";

/** @throws already-exists, subnet-overlap, pool-exhausted, permission-denied, invalid-config */
export function createNetwork(
  tx: Transaction,
  request: CreateNetworkRequest,
  settings: Settings,
): NetworkState {
  const name = checkNetworkName(request.name);
  if (isReservedName(name)) throw predefinedName(name);
  return insertNetwork(tx, { ...request, origin: "api" }, settings);
}

/** @throws as {@link createNetwork} */
export function createPredefined(
  tx: Transaction,
  network: PredefinedNetwork & { readonly avoid: readonly string[] },
  settings: Settings,
): void {
  insertNetwork(tx, { ...network, origin: "predefined" }, settings);
}

/** A network that was there before, with the ID that its bridges and conflists say. */
export function createFoundNetwork(
  tx: Transaction,
  request: CreateNetworkRequest & { readonly id: string },
  settings: Settings,
): NetworkState {
  const origin = isReservedName(request.name) ? "predefined" : "api";
  return insertNetwork(tx, { ...request, origin }, settings);
}

function insertNetwork(
  tx: Transaction,
  request: CreateNetworkRequest & { readonly origin: Network["origin"]; readonly id?: string },
  settings: Settings,
): NetworkState {
  const { name, origin } = request;
  const existing = tx.state.network(name);
  if (existing !== undefined) throw alreadyExists(existing);
  const driver = checkDriver(request);
  checkAddressing(driver, request);
  checkGatewayModes(request);
  const addressSpace = checkName(OPERATION, "addressSpace", request.addressSpace ?? DEFAULT_ADDRESS_SPACE);
  const facts = {
    id: request.id ?? settings.newNetworkId(),
    name,
    driver,
    origin,
    addressSpace,
    internal: request.internal ?? false,
    attachable: request.attachable ?? false,
    coolingSeconds: checkCooling(OPERATION, request.coolingSeconds ?? settings.coolingSeconds),
    maxAttachments: checkQuota(request.maxAttachments),
    options: checkEntries("options", request.options ?? {}),
    labels: checkEntries("labels", request.labels ?? {}),
    createdAtMs: tx.nowMs,
  };
  refuseSecond(tx.state, facts);
  const pools = poolsOfSubnets(chooseSubnets(tx, request, { driver, addressSpace, settings }));
  checkDisjointPools(pools);
  makeRoom(tx, { ...facts, pools });
  return tx.createNetwork({ ...facts, pools });
}

/** A network that a conflist declared. */
export function createDeclaredNetwork(
  tx: Transaction,
  { name, addressSpace, coolingSeconds, pools }: DeclaredNetwork,
  settings: Settings,
): NetworkState {
  makeRoom(tx, { name, addressSpace, origin: "conflist", pools });
  const network = tx.createNetwork({
    id: settings.newNetworkId(),
    name,
    driver: "bridge",
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
  takeStrays(tx, network);
  return network;
}

export interface DeclaredNetwork {
  readonly name: string;
  readonly addressSpace: string;
  readonly coolingSeconds: number;
  readonly pools: readonly PoolRecord[];
}

/** @throws not-found, permission-denied, in-use */
export function removeNetwork(tx: Transaction, wanted: string): void {
  const network = tx.state.findNetwork(REMOVAL, wanted);
  const { origin, name } = network.record;
  if (origin === "predefined") {
    const reason = "it is a predefined network and cannot be removed";
    throw predefinedRefusal(REMOVAL, name, { reason, hint: "remove its containers, and leave the network" });
  }
  if (network.attachmentCount > 0) throw stillUsed(network);
  tx.removeNetwork(network);
}

/** The network named exactly so. @throws not-found */
export function networkNamed(tx: Transaction, operation: string, name: string): NetworkState {
  const network = tx.state.network(name);
  if (network === undefined) throw networkNotFound(operation, name);
  return network;
}

export function checkCooling(operation: string, value: number): number {
  return checkInteger(operation, "coolingSeconds", { value, least: 0, most: MOST_COOLING_SECONDS });
}

function checkNetworkName(name: string): string {
  checkName(OPERATION, "name", name);
  if (name.length <= LONGEST_NETWORK_NAME) return name;
  throw new FairleadError({
    code: "invalid-config",
    operation: OPERATION,
    object: "name",
    reason: `it has ${name.length} characters, at most ${LONGEST_NETWORK_NAME} are allowed`,
    details: { field: "name" },
  });
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

interface Place {
  readonly driver: Driver;
  readonly addressSpace: string;
  readonly settings: Settings;
}

/** The subnets asked for, and blocks of the default pools for the families that have none but need one. */
function chooseSubnets(
  tx: Transaction,
  request: CreateNetworkRequest,
  { driver, addressSpace, settings }: Place,
): SubnetRecord[] {
  const { subnets = [], ipv6 = false, avoid = [], options = {} } = request;
  // Where the host is not on the network nobody is its gateway.
  const nobody = isolatedFamilies(options).length > 0 ? { gateway: null } : {};
  checkInteger(OPERATION, "number of subnets", { value: subnets.length, least: 0, most: MOST_SUBNETS });
  const chosen = subnets.map((spec) => subnetOfSpec({ ...spec, ...nobody }));
  if (DRIVER_RULES[driver].subnets !== "leased") return chosen;
  const avoided = avoid.map(parseRange).filter((range) => !isEverything(range));
  const lease = (family: 4 | 6): SubnetRecord => {
    const taken = tx.state.networksOf(addressSpace).flatMap(({ subnets }) => subnets);
    const resting = tx.state.restingRanges(addressSpace, tx.nowMs);
    return subnetOfBlock(freeBlock(settings.defaultPools, family, { taken, avoided, resting }), nobody);
  };
  const has = (family: 4 | 6): boolean => chosen.some(({ subnet }) => subnet.address.family === family);
  const { ipv4 = chosen.length === 0 } = request;
  if (ipv4 && !has(4)) chosen.unshift(lease(4));
  if (ipv6 && !has(6)) chosen.push(lease(6));
  return chosen;
}

/** A default route leads to no place of its own. */
function isEverything({ first, last }: AddressRange): boolean {
  return first.value === 0n && last.value === highestValue(last.family);
}

function predefinedName(name: string): FairleadError {
  const reason = `${name} is the name of a predefined network`;
  return predefinedRefusal(OPERATION, name, { reason, hint: "choose another name" });
}

function alreadyExists({ record }: NetworkState): FairleadError {
  return new FairleadError({
    code: "already-exists",
    operation: OPERATION,
    object: record.name,
    reason: `there is a network of that name, with ID ${record.id.slice(0, 12)}`,
    hint: "choose another name, or remove that network first",
    details: { rule: "network-exists", network: record.name, networkId: record.id },
  });
}

/** Names who is still there, by name where there is one. */
function stillUsed(network: NetworkState): FairleadError {
  const { record, attachmentCount } = network;
  const some = [...network.attachments()].slice(0, MOST_NAMED).map(viewEndpoint);
  const endpoints = some.map(({ containerId, ifname, name, node }) => ({ containerId, ifname, name, node }));
  const shown = endpoints.slice(0, 5).map(({ containerId, name }) => name || containerId.slice(0, 12));
  const more = attachmentCount > shown.length ? ", …" : "";
  return new FairleadError({
    code: "in-use",
    operation: REMOVAL,
    object: record.name,
    reason: `${attachmentCount} attachments hold addresses of it: ${shown.join(", ")}${more}`,
    hint: "disconnect or remove these containers first",
    details: {
      rule: "network-in-use",
      network: record.name,
      networkId: record.id,
      attachments: attachmentCount,
      endpoints,
    } satisfies InUseDetails,
  });
}

/** What a refused removal tells programs. */
interface InUseDetails {
  readonly rule: "network-in-use";
  readonly network: string;
  readonly networkId: NetworkRecord["id"];
  readonly attachments: number;
  /** At most 20. */
  readonly endpoints: readonly {
    readonly containerId: string;
    readonly ifname: string;
    readonly name: string;
    readonly node: string;
  }[];
}

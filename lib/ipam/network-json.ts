/** Network records as JSON: how stores that keep documents write them. Read and written by one table each. */

import { type Address, addressEquals, formatAddress, parseAddress } from "../addr/address.ts";
import { firstHost, formatPrefix, type Prefix, parsePrefix } from "../addr/prefix.ts";
import { formatRange, parseRange } from "../addr/range.ts";
import type { NetworkRecord, PoolRecord, SubnetRecord } from "./store.ts";

interface SubnetJson {
  readonly subnet: string;
  readonly gateway: string | null;
  /** Absent in what was written before 0.2. */
  readonly gatewayGiven?: boolean;
  /** Absent in what was written before 0.2. */
  readonly ipRange?: string | null;
  readonly ranges: readonly string[];
  readonly askable: readonly string[];
  readonly exclusions: readonly string[];
  readonly auxAddresses: Readonly<Record<string, string>>;
  readonly fromDefaultPool: boolean;
}

type NetworkJson = Omit<NetworkRecord, "pools" | "attachable"> & {
  /** Absent in what was written before 0.2. */
  readonly attachable?: boolean;
  readonly pools: readonly { readonly family: 4 | 6; readonly subnets: readonly SubnetJson[] }[];
};

export function networkToJson(record: NetworkRecord): string {
  const pools = record.pools.map(({ family, subnets }) => ({ family, subnets: subnets.map(subnetToJson) }));
  return JSON.stringify({ ...record, pools } satisfies NetworkJson);
}

/** @throws SyntaxError or invalid-config for text that {@link networkToJson} did not write. */
export function networkFromJson(text: string): NetworkRecord {
  const json = JSON.parse(text) as NetworkJson;
  const pools = json.pools.map(
    ({ family, subnets }): PoolRecord => ({ family, subnets: subnets.map(subnetFromJson) }),
  );
  return { ...json, attachable: json.attachable ?? false, pools };
}

function subnetToJson(record: SubnetRecord): SubnetJson {
  return {
    subnet: formatPrefix(record.subnet),
    gateway: record.gateway === null ? null : formatAddress(record.gateway),
    gatewayGiven: record.gatewayGiven,
    ipRange: record.ipRange === null ? null : formatPrefix(record.ipRange),
    ranges: record.ranges.map(formatRange),
    askable: record.askable.map(formatRange),
    exclusions: record.exclusions.map(formatRange),
    auxAddresses: mapValues(record.auxAddresses, formatAddress),
    fromDefaultPool: record.fromDefaultPool,
  };
}

function subnetFromJson(json: SubnetJson): SubnetRecord {
  const subnet = parsePrefix(json.subnet);
  const gateway = json.gateway === null ? null : parseAddress(json.gateway);
  return {
    subnet,
    gateway,
    gatewayGiven: json.gatewayGiven ?? isUnusual(gateway, subnet),
    ipRange: json.ipRange == null ? null : parsePrefix(json.ipRange),
    ranges: json.ranges.map(parseRange),
    askable: json.askable.map(parseRange),
    exclusions: json.exclusions.map(parseRange),
    auxAddresses: mapValues(json.auxAddresses, parseAddress),
    fromDefaultPool: json.fromDefaultPool,
  };
}

/** Nobody gets another gateway than the first host without naming it. */
function isUnusual(gateway: Address | null, subnet: Prefix): boolean {
  return gateway !== null && !addressEquals(gateway, firstHost(subnet));
}

function mapValues<A, B>(entries: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, map(value)]));
}

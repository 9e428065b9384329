/** Columns of `fairlead ipam …`. What is missed least goes first on a narrow terminal. */
import type {
  Endpoint,
  Finding,
  Lease,
  Network,
  NetworkStatus,
  NodeUsage,
  PoolUsage,
  Tenancy,
} from "../../lib/ipam/api.ts";
import type { Column } from "../output/table.ts";
import { formatInstant } from "../output/time.ts";

/** As many characters of an ID as Docker shows. */
const SHORT_ID = 12;

/** How IDs are shown: whole with --no-trunc. */
export type ShowId = (id: string) => string;

export const showId = (wholeIds: boolean): ShowId => (wholeIds ? (id) => id : shortId);

/** IDs that are no digits are somebody's names for containers: those stay. */
function shortId(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, SHORT_ID) : id;
}

export interface PoolRow {
  readonly status: NetworkStatus;
  readonly usage: PoolUsage;
}

export const POOL_COLUMNS: readonly Column<PoolRow>[] = [
  { heading: "NETWORK", value: ({ status }) => status.networkName, cut: "text" },
  { heading: "POOL", value: ({ usage }) => String(usage.pool), align: "right", drop: 1 },
  { heading: "SUBNETS", value: ({ usage }) => usage.subnets.join(" "), cut: "items" },
  { heading: "SIZE", value: ({ usage }) => usage.size, align: "right", drop: 4 },
  { heading: "BOUND", value: ({ usage }) => String(usage.bound), align: "right" },
  { heading: "COOLING", value: ({ usage }) => String(usage.cooling), align: "right", drop: 5 },
  { heading: "QUARANTINED", value: ({ usage }) => String(usage.quarantined), align: "right", drop: 3 },
  { heading: "WITHHELD", value: ({ usage }) => usage.withheld, align: "right", drop: 2 },
  { heading: "FREE", value: ({ usage }) => usage.free, align: "right" },
];

export const networkColumns = (id: ShowId): readonly Column<Network>[] => [
  { heading: "NETWORK", value: ({ name }) => name, cut: "text" },
  { heading: "ID", value: (network) => id(network.id), drop: 4 },
  { heading: "DRIVER", value: ({ driver }) => driver },
  { heading: "ORIGIN", value: ({ origin }) => origin, drop: 2 },
  { heading: "SUBNETS", value: ({ pools }) => subnetsOf(pools), cut: "items" },
  { heading: "GATEWAYS", value: ({ pools }) => gatewaysOf(pools), cut: "items", drop: 3 },
  { heading: "ATTACHMENTS", value: ({ attachments }) => String(attachments), align: "right", drop: 1 },
];

function subnetsOf(pools: Network["pools"]): string {
  return pools.flatMap(({ subnets }) => subnets.map(({ subnet }) => subnet)).join(" ");
}

function gatewaysOf(pools: Network["pools"]): string {
  return pools.flatMap(({ subnets }) => subnets.flatMap(({ gateway }) => gateway ?? [])).join(" ");
}

export const leaseColumns = (id: ShowId): readonly Column<Lease>[] => [
  { heading: "ADDRESS", value: ({ address }) => address },
  { heading: "NETWORK", value: ({ networkName }) => networkName, cut: "text" },
  { heading: "STATE", value: ({ state }) => state },
  { heading: "NAMES", value: ({ names }) => names.join(" "), cut: "names" },
  {
    heading: "CONTAINER",
    value: ({ containerId }) => id(containerId),
    cut: "text",
    least: SHORT_ID,
    drop: 6,
  },
  { heading: "IFNAME", value: ({ ifname }) => ifname, drop: 2 },
  { heading: "NODE", value: ({ node }) => node, cut: "text", drop: 1 },
  { heading: "SINCE", value: ({ since }) => formatInstant(since), drop: 3 },
  { heading: "UNTIL", value: ({ until }) => formatInstant(until), drop: 4 },
  { heading: "REASON", value: ({ reason }) => reason, cut: "text", drop: 5 },
];

export const endpointColumns = (id: ShowId): readonly Column<Endpoint>[] => [
  { heading: "NETWORK", value: ({ networkName }) => networkName, cut: "text" },
  { heading: "NAMES", value: ({ names }) => names.join(" "), cut: "names" },
  {
    heading: "ADDRESSES",
    value: ({ addresses }) => addresses.map(({ address }) => address).join(" "),
    cut: "items",
  },
  {
    heading: "CONTAINER",
    value: ({ containerId }) => id(containerId),
    cut: "text",
    least: SHORT_ID,
    drop: 5,
  },
  { heading: "IFNAME", value: ({ ifname }) => ifname, drop: 3 },
  { heading: "NODE", value: ({ node }) => node, cut: "text", drop: 1 },
  { heading: "MAC", value: ({ mac }) => mac, drop: 2 },
  { heading: "SINCE", value: ({ acquiredAt }) => formatInstant(acquiredAt), drop: 4 },
];

export const nodeColumns = (id: ShowId): readonly Column<NodeUsage>[] => [
  { heading: "NODE", value: ({ name }) => name, cut: "text", least: 40 },
  { heading: "NETWORKS", value: ({ networks }) => String(networks), align: "right", drop: 2 },
  { heading: "ATTACHMENTS", value: ({ attachments }) => String(attachments), align: "right" },
  { heading: "ADDRESSES", value: ({ addresses }) => String(addresses), align: "right" },
  { heading: "NEWEST", value: ({ lastAcquiredAt }) => formatInstant(lastAcquiredAt), drop: 3 },
  { heading: "BOOT", value: ({ bootId = "" }) => id(bootId), cut: "text", least: SHORT_ID, drop: 1 },
];

/** A stay with the names of its holder, as far as they are known still. */
export interface NamedTenancy extends Tenancy {
  readonly names: readonly string[];
}

export const tenancyColumns = (id: ShowId): readonly Column<NamedTenancy>[] => [
  { heading: "FROM", value: ({ from }) => formatInstant(from) },
  { heading: "TO", value: ({ to }) => formatInstant(to) },
  { heading: "NETWORK", value: ({ networkName }) => networkName, cut: "text" },
  { heading: "NAMES", value: ({ names }) => names.join(" "), cut: "names", drop: 4 },
  { heading: "CONTAINER", value: ({ containerId }) => id(containerId), cut: "text", least: SHORT_ID },
  { heading: "IFNAME", value: ({ ifname }) => ifname, drop: 2 },
  { heading: "NODE", value: ({ node }) => node, cut: "text", drop: 1 },
  { heading: "MAC", value: ({ mac }) => mac, drop: 3 },
];

export const FINDING_COLUMNS: readonly Column<Finding>[] = [
  { heading: "SEVERITY", value: ({ severity }) => severity },
  { heading: "OBJECT", value: ({ object }) => object, cut: "text" },
  {
    heading: "PROBLEM",
    value: ({ problem, remedy }) => (remedy === "" ? problem : `${problem}; ${remedy}`),
    cut: "wrap",
  },
];

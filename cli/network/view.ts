/**
 * A network as `docker network inspect` and `docker network ls` show it.
 *
 * Source: moby v20.10, api/types/types.go NetworkResource; docker/cli v20.10, cli/command/network/formatter.go.
 */
import type { Endpoint, Network, Subnet } from "../../lib/ipam/api.ts";
import { type GoField, GoStruct, GoTime, type GoValue, goMap } from "../template/values.ts";
import { isBuiltin } from "./filters.ts";

/** As many characters of an ID as Docker shows. */
export const SHORT_ID = 12;
const SCOPE = "local";

/** What `inspect` shows. Errors about its fields are those of a map, as Docker's are. */
export function inspectView(network: Network, endpoints: readonly Endpoint[]): GoStruct {
  return struct([
    { name: "Name", value: network.name },
    { name: "ID", json: "Id", value: network.id },
    { name: "Created", value: new GoTime(network.createdAt) },
    { name: "Scope", value: SCOPE },
    { name: "Driver", value: network.driver },
    { name: "EnableIPv6", value: network.ipv6 },
    { name: "IPAM", value: ipamView(network) },
    { name: "Internal", value: network.internal },
    { name: "Attachable", value: network.attachable },
    { name: "Ingress", value: false },
    { name: "ConfigFrom", value: struct([{ name: "Network", value: "" }]) },
    { name: "ConfigOnly", value: false },
    { name: "Containers", value: new Map(containersOf(endpoints)) },
    { name: "Options", value: goMap(network.options) },
    { name: "Labels", value: goMap(network.labels) },
  ]);
}

function struct(fields: readonly GoField[]): GoStruct {
  return new GoStruct("", fields);
}

function ipamView(network: Network): GoStruct {
  const subnets = network.pools.flatMap((pool) =>
    pool.subnets.map((subnet) => ({ subnet, family: pool.family })),
  );
  const inOrder = subnets.sort((a, b) => a.family - b.family);
  return struct([
    { name: "Driver", value: "default" },
    // Docker has no map at all there for its own networks.
    { name: "Options", value: isBuiltin(network) ? null : goMap(ipamOptions(network)) },
    { name: "Config", value: inOrder.map(({ subnet }) => subnetView(subnet)) },
  ]);
}

/** What deviates from the service's defaults, under the names that `create --ipam-opt` takes. */
function ipamOptions({ maxAttachments, addressSpace }: Network): Record<string, string> {
  return {
    ...(maxAttachments !== null && { "max-attachments": String(maxAttachments) }),
    ...(addressSpace !== "default" && { "address-space": addressSpace }),
  };
}

/** What was given when the network was made; of a subnet that the service chose, its gateway too. */
function subnetView({
  subnet,
  ipRange,
  gateway,
  gatewayGiven,
  fromDefaultPool,
  auxAddresses,
}: Subnet): GoStruct {
  const shownGateway = gatewayGiven || fromDefaultPool ? (gateway ?? "") : "";
  return struct([
    { name: "Subnet", value: subnet },
    { name: "IPRange", value: ipRange ?? "", omitEmpty: true },
    { name: "Gateway", value: shownGateway, omitEmpty: true },
    { name: "AuxAddress", json: "AuxiliaryAddresses", value: goMap(auxAddresses), omitEmpty: true },
  ]);
}

/** By container ID; a second attachment of a container goes by its endpoint's ID, as Docker's lone endpoints do. */
function containersOf(endpoints: readonly Endpoint[]): [string, GoValue][] {
  const seen = new Set<string>();
  return endpoints.map((endpoint) => {
    const key = seen.has(endpoint.containerId) ? `ep-${endpoint.id}` : endpoint.containerId;
    seen.add(endpoint.containerId);
    return [key, endpointView(endpoint)];
  });
}

function endpointView({ name, containerId, id, mac, addresses }: Endpoint): GoStruct {
  const ofFamily = (mark: string): string =>
    addresses.find(({ address }) => address.includes(mark))?.address ?? "";
  return struct([
    { name: "Name", value: name || containerId },
    { name: "EndpointID", value: id },
    { name: "MacAddress", value: mac },
    { name: "IPv4Address", value: ofFamily(".") },
    { name: "IPv6Address", value: ofFamily(":") },
  ]);
}

/** Headings of the columns of a table, by the fields of a template. */
export const LIST_HEADINGS: Readonly<Record<string, string>> = {
  ID: "NETWORK ID",
  Name: "NAME",
  Driver: "DRIVER",
  Scope: "SCOPE",
  IPv6: "IPV6",
  Internal: "INTERNAL",
  Labels: "LABELS",
  CreatedAt: "CREATED AT",
};

/** What `ls --format` sees: every field is text. Keys in the order of Docker's JSON. */
export function listView(network: Network, wholeIds: boolean): GoStruct {
  const { labels } = network;
  const all = Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`);
  const fields: GoField[] = [
    { name: "CreatedAt", value: String(new GoTime(network.createdAt)) },
    { name: "Driver", value: network.driver },
    { name: "ID", value: wholeIds ? network.id : network.id.slice(0, SHORT_ID) },
    { name: "IPv6", value: String(network.ipv6) },
    { name: "Internal", value: String(network.internal) },
    { name: "Labels", value: all.join(",") },
    { name: "Name", value: network.name },
    { name: "Scope", value: SCOPE },
  ];
  return new GoStruct("*network.networkContext", fields, {
    Label: ([key = ""]) => (Object.hasOwn(labels, String(key)) ? (labels[String(key)] ?? "") : ""),
  });
}

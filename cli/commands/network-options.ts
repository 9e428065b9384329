/** Options of `fairlead network …`: Docker's names and letters, and a few of our own. */
import { DEFAULT_AGENT_SOCKET } from "../../lib/daemon/paths.ts";
import type { Input, Options } from "../base/spec.ts";
import { NODE_OPTIONS } from "../node/options.ts";
import { COMMON_OPTIONS } from "./common-options.ts";

/** Of the commands after which the node must have followed. */
const AGENT_SOCKET = {
  "agent-socket": {
    kind: "text",
    value: "path",
    fallback: DEFAULT_AGENT_SOCKET,
    complete: "file",
    description: "Socket of the agent of this node",
  },
} as const satisfies Options;

const FILTER = { kind: "list", value: "filter", check: filterProblem } as const;
const LIST_FILTERS = ["dangling=", "driver=", "id=", "label=", "name=", "scope=", "type="] as const;
const PRUNE_FILTERS = ["label=", "label!=", "until="] as const;

/** Those of lib/ipam/network-options.ts, as a test says: loading that file would slow every command down. */
const DRIVER_OPTIONS = [
  "com.docker.network.bridge.name=",
  "com.docker.network.bridge.enable_icc=",
  "com.docker.network.bridge.enable_ip_masquerade=",
  "com.docker.network.bridge.host_binding_ipv4=",
  "com.docker.network.bridge.gateway_mode_ipv4=",
  "com.docker.network.bridge.gateway_mode_ipv6=",
  "com.docker.network.driver.mtu=",
  "com.fairlead.source_check=",
  "com.fairlead.probe=",
  "parent=",
  "macvlan_mode=",
] as const;

/** Source of the words: docker/cli v20.10, opts/opts.go. */
function filterProblem(text: string): string | null {
  return text === "" || text.includes("=") ? null : "bad format of filter (expected name=value)";
}

export const CREATE_OPTIONS = {
  ...COMMON_OPTIONS,
  ...AGENT_SOCKET,
  json: { kind: "switch", description: "Print the network instead of its ID, as JSON" },
  driver: {
    kind: "text",
    short: "d",
    fallback: "bridge",
    complete: ["bridge", "macvlan"],
    description: "Driver to manage the network",
  },
  subnet: {
    kind: "list",
    commas: true,
    value: "strings",
    description: "Subnet in CIDR format that represents a network segment",
  },
  gateway: { kind: "list", commas: true, value: "strings", description: "IPv4 or IPv6 gateway of a subnet" },
  "ip-range": {
    kind: "list",
    commas: true,
    value: "strings",
    description: "Hand out addresses of this part of a subnet only",
  },
  "aux-address": {
    kind: "map",
    description: "Address of something else in the subnet that is never handed out (NAME=ADDRESS)",
  },
  opt: {
    kind: "map",
    short: "o",
    complete: DRIVER_OPTIONS,
    description: "Option of the driver (KEY=VALUE)",
  },
  label: { kind: "list", value: "list", description: "Label of the network (KEY=VALUE)" },
  internal: { kind: "switch", description: "Keep the network's containers from reaching anything outside" },
  ipv4: {
    kind: "switch",
    fallback: true,
    description: "Give containers IPv4 addresses (default); false: needs --ipv6 or an IPv6 subnet",
  },
  ipv6: { kind: "switch", description: "Give containers IPv6 addresses too" },
  attachable: { kind: "switch", description: "Recorded; every network can be attached to by hand" },
  "ipam-driver": {
    kind: "text",
    fallback: "default",
    complete: ["default", "fairlead"],
    description: "IP address management driver",
  },
  "ipam-opt": {
    kind: "map",
    complete: ["max-attachments=", "cooling-seconds=", "address-space="],
    description: "Option of the IPAM driver: max-attachments, cooling-seconds, address-space (KEY=VALUE)",
  },
  scope: { kind: "text", description: "Scope of the network: local", complete: ["local"] },
  ingress: { kind: "switch", description: "Swarm's routing mesh: refused", hidden: true },
  "config-only": { kind: "switch", description: "Swarm's configuration networks: refused", hidden: true },
  "config-from": { kind: "text", description: "Swarm's configuration networks: refused", hidden: true },
} as const satisfies Options;

export const LIST_OPTIONS = {
  ...COMMON_OPTIONS,
  quiet: { kind: "switch", short: "q", description: "Only the IDs" },
  "no-trunc": { kind: "switch", description: "Whole IDs, nothing cut" },
  filter: {
    ...FILTER,
    short: "f",
    complete: LIST_FILTERS,
    description: "Only networks that match (e.g. 'driver=bridge')",
  },
  format: {
    kind: "text",
    description: "Go template for each network, 'table TEMPLATE' for a table, or 'json'",
  },
} as const satisfies Options;

export const INSPECT_OPTIONS = {
  ...COMMON_OPTIONS,
  json: { kind: "switch", description: "As JSON in the shape of all commands, not in Docker's" },
  format: { kind: "text", short: "f", description: "Go template for each network, or 'json'" },
  verbose: {
    kind: "switch",
    short: "v",
    idle: true,
    description: "Accepted, as Docker does; there is nothing more to say",
  },
} as const satisfies Options;

export const REMOVE_OPTIONS = {
  ...COMMON_OPTIONS,
  ...AGENT_SOCKET,
  json: { kind: "switch", description: "Print what was removed and what was not, as JSON" },
  force: { kind: "switch", short: "f", description: "A network that is not there is no error" },
} as const satisfies Options;

export const PRUNE_OPTIONS = {
  ...COMMON_OPTIONS,
  ...AGENT_SOCKET,
  force: { kind: "switch", short: "f", description: "Do not ask" },
  filter: {
    ...FILTER,
    complete: PRUNE_FILTERS,
    description: "Only networks that match (e.g. 'until=24h')",
  },
} as const satisfies Options;

/** What names a container without a name: then there is no argument CONTAINER. */
const TARGET = {
  netns: {
    kind: "text",
    value: "path",
    complete: "file",
    description: "The container is this network namespace; no CONTAINER is named then",
  },
  pid: {
    kind: "integer",
    description: "The container is the one of this process; no CONTAINER is named then",
  },
  device: {
    kind: "text",
    value: "link",
    description: "Attach to this bridge or physical interface instead of a network; no NETWORK is named then",
  },
  ifname: {
    kind: "text",
    value: "name",
    description: "Name of the interface in the container (default: the next ethN)",
  },
  ...NODE_OPTIONS,
} as const satisfies Options;

export const CONNECT_OPTIONS = {
  ...COMMON_OPTIONS,
  json: { kind: "switch", description: "Print the result of the plugins, as JSON" },
  ...TARGET,
  ip: {
    kind: "text",
    value: "address",
    description: "IPv4 address; with --device: ADDRESS/LENGTH[@GATEWAY]",
  },
  ip6: { kind: "text", value: "address", description: "IPv6 address" },
  alias: {
    kind: "list",
    commas: true,
    value: "strings",
    description: "Other names of the container on this network",
  },
  link: {
    kind: "list",
    value: "list",
    check: linkProblem,
    description: "Name of another container, for this one only",
  },
  "mac-address": { kind: "text", value: "address", description: "MAC address of the interface" },
  "gw-priority": {
    kind: "integer",
    description: "The network with the highest number has the default route (default 0)",
  },
  "driver-opt": { kind: "map", description: "Option of the driver for this attachment (KEY=VALUE)" },
  "link-local-ip": {
    kind: "list",
    value: "strings",
    description: "Link-local addresses: refused",
    hidden: true,
  },
} as const satisfies Options;

/** Source of the rule and the words: docker/cli v20.10, opts/parse.go ParseLink. */
function linkProblem(text: string): string | null {
  if (text === "") return "empty string specified for links";
  return text.split(":").length > 2 ? `bad format for links: ${text}` : null;
}

export const DISCONNECT_OPTIONS = {
  ...COMMON_OPTIONS,
  json: { kind: "switch", description: "Print what was disconnected from what, as JSON" },
  ...TARGET,
  ifname: {
    ...TARGET.ifname,
    description: "Only this interface of the container (default: all on the network)",
  },
  force: { kind: "switch", short: "f", description: "Even when the container or the network is gone" },
} as const satisfies Options;

export type CreateInput = Input<typeof CREATE_OPTIONS>;
export type ListInput = Input<typeof LIST_OPTIONS>;
export type InspectInput = Input<typeof INSPECT_OPTIONS>;
export type RemoveInput = Input<typeof REMOVE_OPTIONS>;
export type PruneInput = Input<typeof PRUNE_OPTIONS>;
export type ConnectInput = Input<typeof CONNECT_OPTIONS>;
export type DisconnectInput = Input<typeof DISCONNECT_OPTIONS>;

/** Arguments that are left when options name the container or the network: NETWORK and CONTAINER, one, or none. */
export function targetCount(options: ConnectInput["options"] | DisconnectInput["options"]): number {
  const container = options.netns === undefined && options.pid === undefined ? 1 : 0;
  const network = options.device === undefined ? 1 : 0;
  return container + network;
}

/** Options of `fairlead sandbox …`; where `docker run` has one, it has that name. */

import type { Input, Options } from "../base/spec.ts";
import { NODE_OPTIONS } from "../node/options.ts";
import { COMMON_OPTIONS } from "./common-options.ts";

const { json: JSON_OPTION, socket: SOCKET_OPTION } = COMMON_OPTIONS;

/** Of the commands that speak to the service and to plugins. */
const CONNECTED = { socket: SOCKET_OPTION, ...NODE_OPTIONS } as const satisfies Options;
/** Of those that only look at what is on this node. */
const LOCAL = {
  "run-dir": NODE_OPTIONS["run-dir"],
  "cni-cache-dir": NODE_OPTIONS["cni-cache-dir"],
} as const satisfies Options;

export const CREATE_OPTIONS = {
  ...CONNECTED,
  json: JSON_OPTION,
  network: {
    kind: "list",
    complete: "network",
    value: "network",
    description: "Connect to this network (default: bridge); NETWORK[,ip=…,alias=…], 'none' or 'host'",
  },
  publish: {
    kind: "list",
    short: "p",
    value: "list",
    description: "Publish a port on the host: [[hostIP:][hostPort]:]containerPort[/protocol], or ranges",
  },
  "publish-all": {
    kind: "switch",
    short: "P",
    description: "Publish every exposed port on a free port of the host",
  },
  expose: {
    kind: "list",
    value: "list",
    description: "A port that is served: port[-last][/protocol]; see -P",
  },
  dns: {
    kind: "list",
    value: "list",
    description: "Name server for other names than those of its networks: ADDRESS[#PORT]",
  },
  "dns-search": {
    kind: "list",
    value: "list",
    description: "Search domain, instead of the host's; '.': none",
  },
  "dns-option": { kind: "list", value: "list", description: "Option of resolv.conf, like ndots:2" },
  "dns-opt": { kind: "list", value: "list", hidden: true, description: "The same, as in older Dockers" },
  "add-host": {
    kind: "list",
    value: "list",
    description: "Line of /etc/hosts: NAME:ADDRESS, or NAME:host-gateway",
  },
  hostname: { kind: "text", short: "h", description: "Host name inside (default: the sandbox's name)" },
  name: { kind: "text", description: "Name of the sandbox, as in 'docker run'; instead of the argument" },
} as const satisfies Options;

export const LIST_OPTIONS = {
  ...LOCAL,
  json: JSON_OPTION,
  quiet: { kind: "switch", short: "q", description: "Only the IDs" },
  "no-trunc": { kind: "switch", description: "Whole IDs, nothing cut" },
} as const satisfies Options;

export const INSPECT_OPTIONS = {
  ...LOCAL,
  json: { kind: "switch", description: "As JSON in the shape of all commands, not in Docker's" },
} as const satisfies Options;

export const PORT_OPTIONS = { ...LOCAL, json: JSON_OPTION } as const satisfies Options;

export const EXEC_OPTIONS = {
  ...LOCAL,
  "cni-cache-dir": {
    ...LOCAL["cni-cache-dir"],
    idle: true,
    description: "As of the other commands; not used",
  },
} as const satisfies Options;

export const REMOVE_OPTIONS = {
  ...CONNECTED,
  json: JSON_OPTION,
  force: {
    kind: "switch",
    short: "f",
    description:
      "Even while processes run inside, and when a plugin fails; a sandbox that is not there is no error",
  },
} as const satisfies Options;

export type CreateInput = Input<typeof CREATE_OPTIONS>;
export type ListInput = Input<typeof LIST_OPTIONS>;
export type InspectInput = Input<typeof INSPECT_OPTIONS>;
export type PortInput = Input<typeof PORT_OPTIONS>;
export type ExecInput = Input<typeof EXEC_OPTIONS>;
export type RemoveInput = Input<typeof REMOVE_OPTIONS>;

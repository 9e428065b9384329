/** `fairlead ipam …`: what the IPAM service knows. */
import type { LeaseState } from "../../lib/ipam/api.ts";
import type { Io } from "../base/io.ts";
import { defineCommand, type GroupSpec, type Options } from "../base/spec.ts";
import { COMMON_OPTIONS } from "./common-options.ts";
import { recover } from "./ipam-recover.ts";
import { release } from "./ipam-release.ts";
import type { IpamRun } from "./ipam-run.ts";
import { quarantine, reserve, unquarantine, unreserve } from "./ipam-set-aside.ts";

const LEASE_STATES: readonly LeaseState[] = ["bound", "cooling", "quarantined", "reserved"];

/** Loads what the commands do, and hands it a client. */
async function run(
  io: Io,
  options: { readonly socket: string; readonly json: boolean; readonly "no-trunc"?: boolean },
  body: (ipam: IpamRun) => Promise<number>,
): Promise<number> {
  const { withIpam } = await import("./ipam-run.ts");
  const { socket, json, "no-trunc": wholeIds = false } = options;
  return withIpam(io, { socket, json, wholeIds }, body);
}

const LIST_OPTIONS = {
  ...COMMON_OPTIONS,
  "no-trunc": { kind: "switch", description: "Whole IDs, nothing cut or left out" },
} as const satisfies Options;

const status = defineCommand({
  name: "status",
  summary: "Show the service, and how full every pool is",
  arguments: [
    {
      name: "NETWORK",
      optional: true,
      complete: "network",
      description: "This network only: name, ID or the beginning of an ID",
    },
  ],
  options: COMMON_OPTIONS,
  manual: {
    description: `
The counts of a pool add up to its size. WITHHELD are reserved, excluded and gateway addresses.`,
    examples: [
      { text: "All pools", command: "fairlead ipam status" },
      {
        text: "Addresses that are left in one network",
        command: "fairlead ipam status web --json | jq -r '.networks[0].pools[0].free'",
      },
    ],
    seeAlso: ["ipam networks", "ipam leases"],
  },
  run: ({ args: [network], options }, io) => run(io, options, (ipam) => ipam.status(network)),
});

const networks = defineCommand({
  name: "networks",
  summary: "List the networks and their subnets",
  arguments: [],
  options: LIST_OPTIONS,
  manual: {
    description: `
ORIGIN is "api" for a network made by an admin, "conflist" for one that a node's configuration declared, "predefined" for one
that was there from the start. A network without subnets hands out no addresses.`,
    examples: [{ text: "All networks", command: "fairlead ipam networks" }],
    seeAlso: ["network ls", "ipam status"],
  },
  run: ({ options }, io) => run(io, options, (ipam) => ipam.networks()),
});

const leases = defineCommand({
  name: "leases",
  summary: "List the addresses that are not free",
  arguments: [],
  options: {
    ...LIST_OPTIONS,
    network: { kind: "text", value: "name", complete: "network", description: "Of this network" },
    state: {
      kind: "text",
      value: "state",
      choices: LEASE_STATES,
      complete: LEASE_STATES,
      description: "In this state",
    },
    container: {
      kind: "text",
      value: "id",
      description: "Of this container: name, ID or beginning of an ID",
    },
    name: { kind: "text", value: "name", description: "Of those that have this name" },
    node: { kind: "text", value: "name", description: "Of this node" },
    address: { kind: "text", value: "address", description: "Of this address" },
    since: {
      kind: "text",
      value: "instant",
      description: "In their state since then or later; 2h: two hours ago",
    },
  },
  manual: {
    description: `
All given filters must match. States: bound (an attachment holds it), cooling (released, out of use until UNTIL), quarantined
(kept out of use because of doubt), reserved (set aside). Instants are in UTC.`,
    examples: [
      { text: "What is cooling down", command: "fairlead ipam leases --network web --state cooling" },
      {
        text: "Addresses of one node, for a script",
        command: `fairlead ipam leases --json | jq -r '.leases[] | select(.node == "n1") | .address'`,
      },
    ],
    seeAlso: ["ipam history", "network inspect"],
  },
  run: ({ options }, io) => {
    const { network, container, node, address, name, since } = options;
    // The parser let nothing but these words through.
    const state = options.state as LeaseState | undefined;
    const filter = {
      ...(network !== undefined && { network }),
      ...(container !== undefined && { container }),
      ...(state !== undefined && { state }),
      ...(node !== undefined && { node }),
      ...(address !== undefined && { address }),
      ...(name !== undefined && { name }),
      ...(since !== undefined && { since }),
    };
    return run(io, options, (ipam) => ipam.leases(filter));
  },
});

const endpoints = defineCommand({
  name: "endpoints",
  summary: "List who is on which network, with all addresses",
  arguments: [],
  options: {
    ...LIST_OPTIONS,
    network: { kind: "text", value: "name", complete: "network", description: "On this network" },
    container: {
      kind: "text",
      value: "id",
      description: "Of this container: name, ID or beginning of an ID",
    },
    name: { kind: "text", value: "name", description: "Found under this name" },
    node: { kind: "text", value: "name", description: "On this node" },
  },
  manual: {
    description: `
All given filters must match. NAMES are those under which a container is found on its network; two containers may have one
name.`,
    examples: [
      { text: "Who is on a network", command: "fairlead ipam endpoints --network web" },
      {
        text: "Addresses behind a name, for a script",
        command: "fairlead ipam endpoints --name db --json | jq -r '.endpoints[].addresses[].address'",
      },
    ],
    seeAlso: ["ipam leases", "network inspect"],
  },
  run: ({ options }, io) => {
    const { network, container, name, node } = options;
    const filter = {
      ...(network !== undefined && { network }),
      ...(container !== undefined && { container }),
      ...(name !== undefined && { name }),
      ...(node !== undefined && { node }),
    };
    return run(io, options, (ipam) => ipam.endpoints(filter));
  },
});

const nodes = defineCommand({
  name: "nodes",
  summary: "List the nodes that hold addresses",
  arguments: [],
  options: LIST_OPTIONS,
  manual: {
    description: `
NEWEST is when the newest of a node's attachments was made, in UTC; BOOT the boot ID that the node had then. A node that holds no
address is not known.`,
    examples: [
      { text: "All nodes", command: "fairlead ipam nodes" },
      {
        text: "Nodes without a new attachment this year, for a script",
        command: "fairlead ipam nodes --json | jq -r '.nodes[] | select(.lastAcquiredAt < \"2026\") | .name'",
      },
    ],
    seeAlso: ["ipam endpoints", "ipam leases"],
  },
  run: ({ options }, io) => run(io, options, (ipam) => ipam.nodes()),
});

const history = defineCommand({
  name: "history",
  summary: "Show who has had an address, and when",
  arguments: [{ name: "ADDRESS", description: "The address, without prefix length" }],
  options: {
    ...LIST_OPTIONS,
    since: { kind: "text", value: "instant", description: "Stays that lasted then, or began later" },
    at: {
      kind: "text",
      value: "instant",
      description: "Who had it then: 2026-01-31T12:00:00Z, 2026-01-31 12:00 (local), 3d (ago)",
    },
    "address-space": { kind: "text", value: "name", description: "In this address space" },
  },
  manual: {
    description: `
The oldest stay comes first; a stay without an end lasts. Instants are in UTC. NAMES are known of
whoever has the address, or had it last: of earlier stays the log has IDs only.`,
    examples: [
      { text: "Everybody who had it", command: "fairlead ipam history 10.77.0.5" },
      { text: "Who had it at lunch", command: 'fairlead ipam history 10.77.0.5 --at "2026-01-27 12:30"' },
      { text: "Who had it two hours ago", command: "fairlead ipam history fd00::5 --at 2h" },
    ],
    seeAlso: ["ipam leases"],
  },
  run: ({ args: [address = ""], options }, io) => {
    const { at, since, "address-space": addressSpace } = options;
    const filter = {
      ...(at !== undefined && { at }),
      ...(since !== undefined && { since }),
      ...(addressSpace !== undefined && { addressSpace }),
    };
    return run(io, options, (ipam) => ipam.history(address, filter));
  },
});

const check = defineCommand({
  name: "check",
  summary: "Look for contradictions in what the service has stored",
  arguments: [],
  options: COMMON_OPTIONS,
  manual: {
    description: "Changes nothing.",
    examples: [
      { text: "Check, and act on the result", command: "fairlead ipam check || mail -s 'fairlead' root" },
    ],
    exitStatus: [
      [0, "No contradictions, or warnings only."],
      [1, "There is an error among the findings."],
      [5, "The service cannot be reached, or did not answer in time."],
    ],
    seeAlso: ["ipam status"],
  },
  run: ({ options }, io) => run(io, options, (ipam) => ipam.check()),
});

export const ipam: GroupSpec = {
  name: "ipam",
  summary: "Show what the IPAM service knows: pools, leases, who had which address",
  commands: [
    status,
    networks,
    leases,
    endpoints,
    nodes,
    history,
    reserve,
    unreserve,
    quarantine,
    unquarantine,
    release,
    check,
    recover,
  ],
  manual: {
    description:
      "`reserve`, `quarantine`, their counterparts, `release` and `recover` change something; the others read only.",
    examples: [
      { text: "How full the pools are", command: "fairlead ipam status" },
      { text: "Who had an address", command: "fairlead ipam history 10.77.0.5" },
    ],
    seeAlso: ["network", "server"],
  },
};

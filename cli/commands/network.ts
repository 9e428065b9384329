/** `fairlead network …`: Docker's commands on networks. */
import { defineCommand, type GroupSpec } from "../base/spec.ts";
import {
  CONNECT_OPTIONS,
  CREATE_OPTIONS,
  DISCONNECT_OPTIONS,
  INSPECT_OPTIONS,
  LIST_OPTIONS,
  PRUNE_OPTIONS,
  REMOVE_OPTIONS,
  targetCount,
} from "./network-options.ts";

/** Docker's: 125 where the command line was not understood, 1 for everything that fails. */
const EXIT_STATUS: readonly (readonly [number, string])[] = [
  [0, "Success."],
  [1, "It failed, in whole or in part; stderr says what and why."],
  [125, "An option that there is not, or whose value makes no sense."],
];

const NETWORK = { name: "NETWORK", complete: "network" } as const;
const NETWORKS = [{ ...NETWORK, several: true, description: "Name, ID or beginning of an ID" }] as const;
const TARGETS = [
  { ...NETWORK, description: "Name, ID or beginning of an ID" },
  {
    name: "CONTAINER",
    complete: "container",
    description: "A sandbox, or a container of containerd, podman or Docker: name, ID or beginning of an ID",
  },
] as const;

const create = defineCommand({
  name: "create",
  summary: "Create a network",
  arguments: [{ name: "NETWORK", description: "Name of the new network" }],
  options: CREATE_OPTIONS,
  manual: {
    description: `
Prints the ID of the new network. When the command returns, the network is ready on this node: its conflist is in the CNI
configuration directory, so that containerd, CRI-O, podman, nerdctl and Nomad can use it by name. Without an agent on this node a
warning on stderr says that this is still to come.

Without --subnet the network gets a subnet of the default pools that overlaps no other network, no route of this host in
any of its tables and no name server. With --ipv6 it gets an IPv6 subnet as well.

Gateways, ranges and auxiliary addresses are given in any order: each belongs to the subnet that it lies in.

Networks are isolated: their containers reach neither each other's containers nor each other's gateways. With --internal they reach
nothing outside their network at all.

Options of the driver "bridge" (-o):

  com.docker.network.bridge.name                  name of the bridge on the node
  com.docker.network.bridge.enable_icc            false: containers do not reach each other
  com.docker.network.bridge.enable_ip_masquerade  false: addresses are not translated on the way out
  com.docker.network.bridge.host_binding_ipv4     address of the host that ports are published on
  com.docker.network.bridge.gateway_mode_ipv4     nat-unprotected: other hosts may reach containers by a route;
                                                  isolated, with --internal: the host has no address on the network
  com.docker.network.bridge.gateway_mode_ipv6     the same, in IPv6
  com.docker.network.driver.mtu                   MTU of the network
  com.fairlead.source_check                       off: containers may send from addresses that are not theirs
  com.fairlead.probe                              on: ask whether a machine on the bridge has an address before it is used

Options of the driver "macvlan":

  parent        physical interface or bridge of the node
  macvlan_mode  bridge (default), private, vepa or passthru
  com.fairlead.probe  off: do not ask whether a machine on the parent's network has an address`,
    examples: [
      { text: "A network whose subnet comes from the default pools", command: "fairlead network create web" },
      {
        text: "A subnet of one's own, of which containers get the upper half",
        command:
          "fairlead network create --subnet 10.9.0.0/24 --ip-range 10.9.0.128/25 --gateway 10.9.0.254 db",
      },
      {
        text: "Both families, no way out",
        command: "fairlead network create --internal --ipv6 --subnet 10.8.0.0/24 --subnet fd00:8::/64 vault",
      },
      {
        text: "Containers directly on a physical network",
        command:
          "fairlead network create -d macvlan -o parent=eth0 --subnet 192.168.1.0/24 --gateway 192.168.1.1 lan",
      },
    ],
    exitStatus: EXIT_STATUS,
    seeAlso: ["network ls", "network connect", "network rm", "ipam status", "docker-network-create(1)"],
  },
  run: async (input, io) => (await import("./network-create.ts")).runCreate(input, io),
});

const ls = defineCommand({
  name: "ls",
  aliases: ["list"],
  summary: "List networks",
  arguments: [],
  options: LIST_OPTIONS,
  manual: {
    description: `
Sorted by name, numbers in names by their value: net2 comes before net10.

Filters (-f) of the same kind widen the list, filters of different kinds narrow it:

  driver=NAME        this driver
  id=TEXT            the ID contains TEXT
  name=TEXT          the name contains TEXT
  label=KEY[=VALUE]  has this label
  scope=local        this scope
  type=custom        made by somebody; builtin: bridge, host and none
  dangling=true      no container is attached, and not builtin; false: the others

Fields of templates (--format): .ID .Name .Driver .Scope .IPv6 .Internal .Labels .Label .CreatedAt; functions: json, join, split, upper,
lower, title, truncate, pad, println, len, index, printf, and, or, not, eq, ne, lt, le, gt, ge; if, range, with, else, variables.`,
    examples: [
      { text: "All networks", command: "fairlead network ls" },
      {
        text: "Names of those that nobody uses",
        command: "fairlead network ls -f dangling=true --format '{{.Name}}'",
      },
      {
        text: "A table of one's own",
        command: "fairlead network ls --format 'table {{.Name}}\\t{{.Internal}}\\t{{.CreatedAt}}'",
      },
      { text: "For a program", command: "fairlead network ls --json | jq -r '.networks[].name'" },
    ],
    exitStatus: EXIT_STATUS,
    seeAlso: ["network inspect", "ipam networks", "docker-network-ls(1)"],
  },
  run: async (input, io) => (await import("./network-ls.ts")).runList(input, io),
});

const inspect = defineCommand({
  name: "inspect",
  summary: "Display detailed information on one or more networks",
  arguments: NETWORKS,
  options: INSPECT_OPTIONS,
  manual: {
    description: `
Prints a JSON array in the shape that Docker prints, with the containers that are attached. IPAM.Config shows what was given when the
network was made, or the subnet and gateway that it got.

With --format one line for each network, by a Go template over the same fields; see \`fairlead help network ls\` for the functions.

A network is looked up by its whole ID, then by its name, then by the beginning of its ID.`,
    examples: [
      { text: "Everything about a network", command: "fairlead network inspect web" },
      {
        text: "Its subnet",
        command: "fairlead network inspect -f '{{range .IPAM.Config}}{{.Subnet}}{{end}}' web",
      },
      {
        text: "Who is attached, and with which address",
        command:
          "fairlead network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{println}}{{end}}' web",
      },
    ],
    exitStatus: EXIT_STATUS,
    seeAlso: ["network ls", "ipam leases", "docker-network-inspect(1)"],
  },
  run: async (input, io) => (await import("./network-inspect.ts")).runInspect(input, io),
});

const rm = defineCommand({
  name: "rm",
  aliases: ["remove"],
  summary: "Remove one or more networks",
  arguments: NETWORKS,
  options: REMOVE_OPTIONS,
  manual: {
    description: `
Prints the name of each network that is gone, and goes on after one that is not. A network with containers attached stays, as do the
networks bridge, host and none.

When the command returns, conflist, bridge and rules are gone from this node.`,
    examples: [
      { text: "Two at once", command: "fairlead network rm web db" },
      { text: "In a script that may run twice", command: "fairlead network rm -f web" },
    ],
    exitStatus: EXIT_STATUS,
    seeAlso: ["network prune", "network disconnect", "docker-network-rm(1)"],
  },
  run: async (input, io) => (await import("./network-rm.ts")).runRemove(input, io),
});

const prune = defineCommand({
  name: "prune",
  summary: "Remove all unused networks",
  arguments: [],
  options: PRUNE_OPTIONS,
  manual: {
    description: `
Removes the networks that no container is attached to, but for bridge, host and none, and for networks that a hand-written
configuration declared. Asks first; anything but y means no.

Filters:

  until=INSTANT        made before then: 24h (ago), 2026-01-31T12:00:00, or seconds since 1970
  label=KEY[=VALUE]    has this label
  label!=KEY[=VALUE]   does not have it`,
    examples: [
      { text: "After a look", command: "fairlead network ls -f dangling=true\nfairlead network prune" },
      { text: "From cron", command: "fairlead network prune -f --filter until=24h --filter label!=keep" },
    ],
    exitStatus: EXIT_STATUS,
    seeAlso: ["network rm", "network ls", "docker-network-prune(1)"],
  },
  run: async (input, io) => (await import("./network-prune.ts")).runPrune(input, io),
});

const connect = defineCommand({
  name: "connect",
  summary: "Connect a container to a network",
  arguments: TARGETS,
  argumentCount: targetCount,
  options: CONNECT_OPTIONS,
  manual: {
    description: `
Attaches a running container to one more network, at once and without a restart. It gets an interface, an address and a default route
by the rules of the network's configuration, and its name and aliases can be looked up by the other containers of the network.

The container is a sandbox, a container of containerd, podman or Docker by name or ID, or any network namespace: --netns PATH or
--pid N.

With --device no network is needed: the container is attached to a bridge or physical interface of this node, with the address that
is given.`,
    examples: [
      { text: "One more network", command: "fairlead network connect backend ins02" },
      {
        text: "With an address and another name",
        command: "fairlead network connect --ip 10.9.0.20 --alias db backend ins02",
      },
      { text: "A process that no runtime knows", command: "fairlead network connect --pid 4711 backend" },
      {
        text: "Straight onto a bridge, with an address and a gateway",
        command: "fairlead network connect --device br1 --ip 192.168.1.10/24@192.168.1.1 ins02",
      },
    ],
    exitStatus: EXIT_STATUS,
    seeAlso: ["network disconnect", "network inspect", "docker-network-connect(1)"],
  },
  run: async (input, io) => (await import("./network-connect.ts")).runConnect(input, io),
});

const disconnect = defineCommand({
  name: "disconnect",
  summary: "Disconnect a container from a network",
  arguments: TARGETS,
  argumentCount: targetCount,
  options: DISCONNECT_OPTIONS,
  manual: {
    description: `
Takes the container's interface on this network away, at once. The address cools down before somebody else gets it. Other networks of
the container go on.`,
    examples: [
      { text: "Leave a network", command: "fairlead network disconnect backend ins02" },
      {
        text: "Clean up after a container that is gone",
        command: "fairlead network disconnect -f backend ins02",
      },
    ],
    exitStatus: EXIT_STATUS,
    seeAlso: ["network connect", "docker-network-disconnect(1)"],
  },
  run: async (input, io) => (await import("./network-disconnect.ts")).runDisconnect(input, io),
});

export const network: GroupSpec = {
  name: "network",
  summary: "Manage networks: create, connect, inspect, remove",
  usage: { option: 125, arguments: 1, none: 0, failure: 1 },
  commands: [connect, create, disconnect, inspect, ls, prune, rm],
  manual: {
    description: `
The commands, options, columns and exit statuses are Docker's; docs/docker-differences.md lists what differs, and why.

The networks bridge, host and none exist from the start and cannot be removed.`,
    examples: [
      {
        text: "Two networks, and a container on both",
        command:
          "fairlead network create frontend\nfairlead network create backend\nfairlead network connect backend ins02",
      },
    ],
    exitStatus: EXIT_STATUS,
    seeAlso: ["ipam", "docker-network(1)"],
  },
};

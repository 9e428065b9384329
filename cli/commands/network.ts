/** `fairlead network …`: Docker's commands on networks. */
import { defineCommand, type GroupSpec } from "../spec.ts";
import { CONNECT_OPTIONS, DISCONNECT_OPTIONS, targetCount } from "./network-options.ts";

/** Docker's: 125 where the command line was not understood, 1 for everything that fails. */
const EXIT_STATUS: readonly (readonly [number, string])[] = [
  [0, "Success."],
  [1, "It failed, in whole or in part; stderr says what and why."],
  [125, "An option that there is not, or whose value makes no sense."],
];

const NETWORK = { name: "NETWORK", complete: "network" } as const;
const TARGETS = [
  { ...NETWORK, description: "Name, ID or beginning of an ID" },
  {
    name: "CONTAINER",
    complete: "container",
    description: "A sandbox, or a container of containerd, podman or Docker: name, ID or beginning of an ID",
  },
] as const;

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
  usage: { option: 125, arguments: 1, none: 0 },
  commands: [connect, disconnect],
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

/** `fairlead sandbox …`: network namespaces with names and networks, without a container runtime. */
import { defineCommand, type GroupSpec } from "../base/spec.ts";
import {
  CREATE_OPTIONS,
  EXEC_OPTIONS,
  INSPECT_OPTIONS,
  LIST_OPTIONS,
  PORT_OPTIONS,
  REMOVE_OPTIONS,
} from "./sandbox-options.ts";

const SANDBOX = { name: "SANDBOX", complete: "sandbox" } as const;

const create = defineCommand({
  name: "create",
  summary: "Create a sandbox and connect it to networks",
  arguments: [{ name: "NAME", description: "Name of the sandbox" }],
  argumentCount: ({ name }) => (name === undefined ? 1 : 0),
  options: CREATE_OPTIONS,
  manual: {
    description: `
Makes a network namespace that stays without any process in it, connects it to the networks, and prints its ID. The namespace is
called like the sandbox, so that \`ip netns\` sees it.

All or nothing: when one network cannot be connected, nothing is left behind.

The name is found by the other containers of its networks. --network may be given several times, each with the wishes for that
network behind commas: ip, ip6, alias, mac-address, gw-priority, link. 'none' makes a sandbox without a network, 'host' one in the
host's own.

Ports (-p) are published as by \`docker run\`: 8080:80, 127.0.0.1:8080:80, 80 or 127.0.0.1::80 for any free port of the host, 8000-8010:80
for a free one of these, 8000-8010:80-90 for all of them, each with /tcp, /udp or /sctp. They belong to the network that has the default route.`,
    examples: [
      { text: "On the network bridge", command: "fairlead sandbox create web" },
      {
        text: "On two networks, with an address and another name",
        command: "fairlead sandbox create --network frontend --network backend,ip=10.9.0.20,alias=db ins02",
      },
      {
        text: "With any free port of the host, and which it is",
        command: "fairlead sandbox create -p 127.0.0.1::80 web\nfairlead sandbox port web",
      },
      {
        text: "With a port of the host that leads to it",
        command: "fairlead sandbox create -p 8080:80 --network frontend web",
      },
    ],
    seeAlso: ["sandbox exec", "sandbox rm", "network connect", "ip-netns(8)"],
  },
  run: async (input, io) => (await import("./sandbox-create.ts")).runCreate(input, io),
});

const ls = defineCommand({
  name: "ls",
  aliases: ["list"],
  summary: "List sandboxes",
  arguments: [],
  options: LIST_OPTIONS,
  manual: {
    description: `
STATE is ready; gone when somebody removed the network namespace. A sandbox that is gone still holds its addresses until it is
removed.`,
    examples: [
      { text: "All of them", command: "fairlead sandbox ls" },
      { text: "Remove all", command: "fairlead sandbox rm $(fairlead sandbox ls -q)" },
    ],
    seeAlso: ["sandbox inspect"],
  },
  run: async (input, io) => (await import("./sandbox-list.ts")).runList(input, io),
});

const inspect = defineCommand({
  name: "inspect",
  summary: "Show sandboxes with their networks, as JSON",
  arguments: [{ ...SANDBOX, several: true, description: "Name, ID or beginning of an ID" }],
  options: INSPECT_OPTIONS,
  manual: {
    description: "Prints an array with one object for each sandbox named.",
    examples: [
      {
        text: "Its addresses",
        command: "fairlead sandbox inspect web | jq -r '.[0].Networks[].IPAddress'",
      },
    ],
    seeAlso: ["sandbox ls", "network inspect"],
  },
  run: async (input, io) => (await import("./sandbox-list.ts")).runInspect(input, io),
});

const port = defineCommand({
  name: "port",
  summary: "List the published ports of a sandbox",
  arguments: [
    { ...SANDBOX, description: "Name, ID or beginning of an ID" },
    {
      name: "PORT",
      optional: true,
      description: "Port of the sandbox, 80 or 53/udp: only where the host has it",
    },
  ],
  options: PORT_OPTIONS,
  manual: {
    description: "Prints a line for each port, with the address and the port of the host that lead to it.",
    examples: [
      { text: "All ports", command: "fairlead sandbox port web" },
      {
        text: "Where a port that was chosen leads from",
        command: "fairlead sandbox create -p 80 web\nfairlead sandbox port web 80",
      },
    ],
    seeAlso: ["sandbox create", "sandbox ls", "docker-port(1)"],
  },
  run: async (input, io) => (await import("./sandbox-port.ts")).runPort(input, io),
});

const exec = defineCommand({
  name: "exec",
  summary: "Run a command in a sandbox",
  arguments: [
    { ...SANDBOX, description: "Name, ID or beginning of an ID" },
    { name: "COMMAND", description: "The command and its arguments", several: true, complete: "command" },
  ],
  passThrough: true,
  options: EXEC_OPTIONS,
  manual: {
    description: `
The command sees the network of the sandbox, its names (/etc/resolv.conf and /etc/hosts) and its host name; everything else is the
host's: files, users, processes. Terminal, signals and exit status are the command's own.`,
    examples: [
      { text: "By name, across a network", command: "fairlead sandbox exec ins01 ping -c1 ins02" },
      { text: "A shell inside", command: "fairlead sandbox exec ins01 bash" },
    ],
    exitStatus: [
      [126, "The command cannot be executed."],
      [127, "There is no such command."],
      [1, "There is no such sandbox, or it cannot be entered. Anything else is the command's."],
    ],
    seeAlso: ["sandbox create", "nsenter(1)"],
  },
  run: async (input, io) => (await import("./sandbox-exec.ts")).runExec(input, io),
});

const rm = defineCommand({
  name: "rm",
  aliases: ["remove"],
  summary: "Remove sandboxes, with all that they hold on their networks",
  arguments: [{ ...SANDBOX, several: true, description: "Name, ID or beginning of an ID" }],
  options: REMOVE_OPTIONS,
  manual: {
    description: `
Prints the name of each sandbox that was removed, and goes on past those that cannot be.

While processes run inside, it is refused; with -f they stay where they are, without a network.`,
    examples: [{ text: "Two at once", command: "fairlead sandbox rm ins01 ins02" }],
    seeAlso: ["sandbox create"],
  },
  run: async (input, io) => (await import("./sandbox-remove.ts")).runRemove(input, io),
});

export const sandbox: GroupSpec = {
  name: "sandbox",
  summary: "Manage sandboxes: containers that are nothing but a network namespace",
  commands: [create, ls, inspect, port, exec, rm],
  manual: {
    description: `
A sandbox is a network namespace with a name, its networks and their names, and no container runtime: for trying, testing and
debugging, and for virtual machines.`,
    examples: [
      {
        text: "Two sandboxes that find each other",
        command:
          "fairlead network create frontend\nfairlead sandbox create --network frontend ins01\nfairlead sandbox create --network frontend ins02\nfairlead sandbox exec ins01 ping -c1 ins02",
      },
    ],
    seeAlso: ["network"],
  },
};

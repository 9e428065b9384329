/**
 * The commands and groups of the command line, by name: what `fairlead help` lists, and what is loaded when one is
 * called. Nothing but names and summaries is here, so that a command loads itself only.
 */
import type { TreeEntry } from "./base/spec.ts";

export const TREE: readonly TreeEntry[] = [
  {
    name: "network",
    summary: "Manage networks: create, connect, inspect, remove",
    load: async () => (await import("./commands/network.ts")).network,
  },
  {
    name: "sandbox",
    summary: "Manage sandboxes: containers that are nothing but a network namespace",
    load: async () => (await import("./commands/sandbox.ts")).sandbox,
  },
  {
    name: "ipam",
    summary: "Show what the IPAM service knows: pools, leases, who had which address",
    load: async () => (await import("./commands/ipam.ts")).ipam,
  },
  {
    name: "dev",
    summary: "Run everything that one machine needs, without configuration",
    load: async () => (await import("./commands/dev.ts")).dev,
  },
  {
    name: "server",
    summary: "Run the IPAM server",
    load: async () => (await import("./commands/server.ts")).server,
  },
  {
    name: "agent",
    summary: "Run the agent of this node",
    load: async () => (await import("./commands/agent.ts")).agent,
  },
  {
    name: "purge",
    summary: "Remove all that Fairlead made on this machine",
    load: async () => (await import("./commands/purge.ts")).purge,
  },
  {
    name: "completion",
    summary: "Print the completion script of a shell",
    load: async () => (await import("./commands/completion.ts")).completion,
  },
  {
    name: "help",
    summary: "Show the help of a command, or the manual pages",
    load: async () => (await import("./commands/help.ts")).helpCommand(TREE),
  },
  {
    name: "version",
    summary: "Show the version of Fairlead and of what it runs on",
    load: async () => (await import("./commands/version.ts")).version,
  },
  {
    name: "reap",
    summary: "Detach containers that are gone",
    hidden: true,
    load: async () => (await import("./commands/reap.ts")).reap,
  },
  {
    name: "__complete",
    summary: "Print what may come next on a command line",
    hidden: true,
    load: async () => (await import("./commands/complete.ts")).completeCommand(TREE),
  },
];

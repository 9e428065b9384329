/**
 * The agent as a program: what `fairlead agent` and `fairlead dev` run, with all its parts.
 */
import { readConfigFile, runDaemon } from "../lib/daemon/run.ts";
import { type AgentConfig, parseAgentConfig } from "./base/config.ts";
import { type AgentOptions, type PartEntry, type RunningAgent, startAgentOf } from "./program/start.ts";

export { type AgentConfig, CONFIG_KEYS, parseAgentConfig } from "./base/config.ts";
export type { RunningAgent } from "./program/start.ts";

/** In the order in which they are started. They are closed in reverse. */
const PARTS: readonly PartEntry[] = [
  {
    name: "workers",
    isWanted: ({ workers }) => workers > 0,
    start: async (context) => (await import("./workers/part.ts")).startWorkers(context),
  },
  {
    name: "networks",
    isWanted: ({ networks }) => networks.enabled,
    start: async (context) => (await import("./networks/part.ts")).startNetworks(context),
  },
  {
    name: "attachments",
    isWanted: ({ networks }) => networks.enabled,
    start: async (context) => (await import("./attachments/part.ts")).startAttachments(context),
  },
  {
    name: "dns",
    isWanted: ({ dns }) => dns.enabled,
    start: async (context) => (await import("./dns/part.ts")).startNames(context),
  },
  {
    name: "reaper",
    isWanted: ({ reaper }) => reaper.enabled,
    start: async (context) => (await import("./leftovers/reaper.ts")).startReaper(context),
  },
  {
    name: "remains",
    isWanted: ({ reaper }) => reaper.enabled,
    start: async (context) => (await import("./leftovers/remains.ts")).startRemains(context),
  },
  {
    name: "recovery",
    isWanted: () => true,
    start: async (context) => (await import("./recovery/part.ts")).startRecovery(context),
  },
];

/**
 * Reads a configuration file.
 * @throws not-found, io-failure, decode-failure, invalid-config with every problem in it.
 */
export function loadAgentConfig(file: string): AgentConfig {
  return parseAgentConfig(readConfigFile(file, "conf/agent.yaml"), file);
}

/** Runs an agent until it is told to end, and returns the exit status of the process, as `runDaemon` says. */
export function serveAgent(options: AgentOptions): Promise<number> {
  const { logger } = options;
  return runDaemon({
    title: "fairlead agent",
    logger,
    start: () => startAgent(options),
    onReady: ({ socket }) => logger.info({ socket }, "fairlead agent: ready"),
  });
}

/**
 * Starts an agent with all parts that its configuration wants. When it fails, nothing is left running and the reason is thrown. The service
 * need not be there yet.
 * @throws FairleadError: what keeps it from starting, and what to do.
 */
export function startAgent(options: AgentOptions): Promise<RunningAgent> {
  return startAgentOf(PARTS, options);
}

/** What `fairlead dev` does: server and agent in one process. */
import { dirname, join, resolve } from "node:path";
import { type AgentConfig, parseAgentConfig, type RunningAgent, startAgent } from "../../agent/main.ts";
import {
  logReady,
  parseConfig,
  type RunningServer,
  type ServerConfig,
  startServer,
} from "../../ipam-server/main.ts";
import { startOrClose } from "../../lib/daemon/closers.ts";
import { type Daemon, runDaemon } from "../../lib/daemon/run.ts";
import type { Logger } from "../../lib/log.ts";
import type { Io } from "../base/io.ts";
import { readHostPrefixes } from "../node/host-prefixes.ts";
import { stderrLogger } from "./daemon-output.ts";

export interface DevOptions {
  readonly socket?: string;
  readonly stateDir?: string;
  readonly cniConfDir?: string;
  readonly cniCacheDir?: string;
  readonly agentSocket?: string;
}

interface DevConfig {
  readonly server: ServerConfig;
  readonly agent: AgentConfig;
}

export function runDev(options: DevOptions, io: Io): Promise<number> {
  const config = devConfig(options);
  const logger = stderrLogger("info", "text");
  return runDaemon({
    title: "fairlead dev",
    logger,
    start: () => startDev(config, logger),
    onReady: async ({ server, agent }) => {
      await logReady(server, logger);
      await waitForNode(agent, logger);
      await io.out(welcome(config));
    },
  });
}

/** Through the parsers of the configuration files, so that the same rules hold for flags and files. */
function devConfig({ socket, stateDir, cniConfDir, cniCacheDir, agentSocket }: DevOptions): DevConfig {
  const state = { ...(stateDir !== undefined && { stateDir: resolve(stateDir) }) };
  const server = { ...state, ...(socket !== undefined && { socket: resolve(socket) }) };
  const parsed = parseConfig(JSON.stringify(server), "flags");
  const agent = {
    ...state,
    log: { level: "info", format: "text" },
    serverSocket: parsed.socket,
    socket: agentSocket === undefined ? join(dirname(parsed.socket), "agent.sock") : resolve(agentSocket),
    ...(cniConfDir !== undefined && { cniConfDir: resolve(cniConfDir) }),
    ...(cniCacheDir !== undefined && { cniCacheDir: resolve(cniCacheDir) }),
  };
  return { server: parsed, agent: parseAgentConfig(JSON.stringify(agent), "flags") };
}

interface Dev extends Daemon {
  readonly server: RunningServer;
  readonly agent: RunningAgent;
}

function startDev(config: DevConfig, logger: Logger): Promise<Dev> {
  return startOrClose(async (closers) => {
    const server = await startServer({ config: config.server, logger, hostPrefixes: readHostPrefixes });
    closers.add(() => server.close());
    const agent = await startAgent({ config: config.agent, logger, service: server.service });
    closers.add(() => agent.close());
    const failed = Promise.race([server.failed, agent.failed]);
    return { server, agent, failed, close: () => closers.close() };
  });
}

/** The first networks are on the node when the user is told to go on. What is wrong with them is in the log. */
async function waitForNode(agent: RunningAgent, logger: Logger): Promise<void> {
  try {
    await agent.sync();
  } catch (thrown) {
    logger.warn({ reason: (thrown as Error).message }, "fairlead dev: the node is not ready yet");
  }
}

/** Says where things are and what to try next. */
function welcome({ server, agent }: DevConfig): string {
  const flag = server.socket === parseConfig("", "defaults").socket ? "" : ` --socket ${server.socket}`;
  return `
Fairlead runs on this machine.

  socket     ${server.socket}
  state      ${server.stateDir}
  conflists  ${agent.cniConfDir}

Next, in another terminal:
  fairlead ipam status${flag}

Ctrl-C ends it.

`;
}

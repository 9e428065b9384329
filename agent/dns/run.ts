/**
 * What the process that serves names does, from its start to its end.
 *
 * It lives as long as its agent, which it knows by its standard input, and then a little longer: names are there while the
 * agent is started anew. Its sockets share their addresses with those of the successor, which get all queries from then on, so that
 * no query finds nobody. It ends when an agent answers that all its parts are in step, and when its time is up.
 */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { runDaemon } from "../../lib/daemon/run.ts";
import { createLogger, type Logger } from "../../lib/log.ts";
import { createAgentClient } from "../../lib/rpc/agent-client.ts";
import type { AgentContext } from "../base/part.ts";
import { type RunningAgent, startAgentOf } from "../program/start.ts";
import type { NamesOrder } from "./names-place.ts";

/** How long names are served without an agent. Whoever starts one anew needs less. */
const LINGER_MS = 5_000;
const LOOK_AGAIN_MS = 50;

/** Runs until its agent is gone and another one is there, or a signal comes. Returns the exit status. */
export function runNames(order: string): Promise<number> {
  const { config, agentSocket } = JSON.parse(order) as NamesOrder;
  const logger = createLogger({ ...config.log, write: writeStderr });
  const successor = { isThere: false };
  const start = async (context: AgentContext) => {
    const { startDns } = await import("./part.ts");
    return startDns(context, () => !successor.isThere);
  };
  return runDaemon({
    title: "fairlead name-server",
    logger,
    start: () => startAgentOf([{ name: "dns", isWanted: () => true, start }], { config, logger }),
    onReady: (running) => {
      void agentIsGone().then(async () => {
        successor.isThere = await outlive({ agentSocket, running, logger });
        process.kill(process.pid, "SIGTERM");
      });
    },
  });
}

/** Nothing is ever written to it; its end is the agent's. */
function agentIsGone(): Promise<void> {
  return new Promise((resolve) => {
    const { stdin } = process;
    for (const event of ["end", "close", "error"] as const) stdin.once(event, () => resolve());
    stdin.resume();
  });
}

interface Outliving {
  readonly agentSocket: string;
  readonly running: RunningAgent;
  readonly logger: Logger;
}

/** Resolves when it is time to end; true: somebody else serves names now. */
async function outlive({ agentSocket, running, logger }: Outliving): Promise<boolean> {
  logger.info({ forMs: LINGER_MS }, "dns: the agent is gone, serving on");
  const until = performance.now() + LINGER_MS;
  const leftMs = (): number => Math.max(1, until - performance.now());
  let hasSuccessor = false;
  while (!hasSuccessor && performance.now() < until) {
    const client = createAgentClient({ socket: agentSocket, timeoutMs: leftMs() });
    hasSuccessor = await client.sync().then(
      () => true,
      () => false,
    );
    if (!hasSuccessor) await sleep(LOOK_AGAIN_MS);
  }
  // What was sent upstream for somebody has its answer here.
  while (performance.now() < until && (await outstandingOf(running)) > 0) await sleep(LOOK_AGAIN_MS);
  return hasSuccessor;
}

async function outstandingOf(running: RunningAgent): Promise<number> {
  const { parts } = await running.status();
  return parts[0]?.figures["outstanding"] ?? 0;
}

function writeStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // The agent that read it is gone.
  }
}

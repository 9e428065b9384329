/** The agent's part that keeps resident plugin workers. */
import { dirname, join } from "node:path";
import { WORKER_SOCKET_NAME } from "../../lib/resident/place.ts";
import { ownExecutable } from "../base/child-command.ts";
import type { AgentContext, AgentPart } from "../base/part.ts";
import { startWorkerPool } from "./pool.ts";

/**
 * Only of the compiled executable: under Node there is nothing that a worker could be.
 * @throws already-exists, unavailable
 */
export async function startWorkers({ config, logger }: AgentContext): Promise<AgentPart> {
  const socketPath = join(dirname(config.serverSocket), WORKER_SOCKET_NAME);
  const executable = ownExecutable();
  if (executable === null) {
    logger.warn(
      { executable: process.execPath },
      "agent: no plugin workers: this is not the compiled executable",
    );
    return { name: "workers", applied: async () => {}, close: async () => {} };
  }
  const pool = await startWorkerPool({ executable, socketPath, count: config.workers, logger });
  logger.info({ socket: socketPath, workers: config.workers }, "agent: plugin workers ready");
  return { name: "workers", applied: async () => {}, close: () => pool.close() };
}

/** The agent's part that keeps resident plugin workers. */
import { basename, dirname, join } from "node:path";
import { WORKER_SOCKET_NAME } from "../lib/resident/place.ts";
import type { AgentContext, AgentPart } from "./part.ts";
import { startWorkerPool } from "./worker-pool.ts";

/**
 * Only of the compiled executable: under Node there is nothing that a worker could be.
 * @throws already-exists, unavailable
 */
export async function startWorkers({ config, logger }: AgentContext): Promise<AgentPart> {
  const socketPath = join(dirname(config.serverSocket), WORKER_SOCKET_NAME);
  const { execPath: executable } = process;
  if (!basename(executable).startsWith("fairlead")) {
    logger.warn({ executable }, "agent: no plugin workers: this is not the compiled executable");
    return { name: "workers", applied: async () => {}, close: async () => {} };
  }
  const pool = await startWorkerPool({ executable, socketPath, count: config.workers, logger });
  logger.info({ socket: socketPath, workers: config.workers }, "agent: plugin workers ready");
  return { name: "workers", applied: async () => {}, close: () => pool.close() };
}

/** The server as a program: what `fairlead server` and `fairlead dev` run. */
import { readConfigFile, runDaemon } from "../lib/daemon/run.ts";
import type { Logger } from "../lib/log.ts";
import { parseConfig, type ServerConfig } from "./config.ts";
import { type RunningServer, type StartOptions, startServer } from "./start.ts";

export { CONFIG_KEYS, parseConfig, type ServerConfig } from "./config.ts";
export { type RunningServer, type StartOptions, startServer } from "./start.ts";

/**
 * Reads a configuration file.
 * @throws not-found, io-failure, decode-failure, invalid-config with every problem in it.
 */
export function loadConfig(file: string): ServerConfig {
  return parseConfig(readConfigFile(file, "conf/server.yaml"), file);
}

/**
 * Runs a server until it is told to end, and returns the exit status of the process, as `runDaemon` says.
 *
 * @throws FairleadError what keeps it from starting.
 */
export function serve(options: StartOptions): Promise<number> {
  const { logger } = options;
  return runDaemon({
    title: "fairlead server",
    logger,
    start: () => startServer(options),
    onReady: (server) => logReady(server, logger),
  });
}

/** Says that the server serves, where, and how much it holds. */
export async function logReady(server: RunningServer, logger: Logger): Promise<void> {
  const { epoch, leases } = await server.service.info();
  const total = Object.values(leases).reduce((sum, count) => sum + count, 0);
  const { socket, http, grpc } = server.listening;
  const tcp = { ...(http && { http }), ...(grpc && { grpc }) };
  logger.info({ socket, ...tcp, epoch, leases: total }, "fairlead server: ready");
}

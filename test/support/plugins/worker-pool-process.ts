/**
 * The agent's pool of plugin workers and nothing else, as a process that a test can start in any namespace:
 * `node --experimental-ffi --import register-no-bun-ffi.ts worker-pool-process.ts EXECUTABLE SOCKET COUNT`. Ends by SIGTERM.
 */
import { startWorkerPool } from "../../../agent/workers/pool.ts";
import { createLogger } from "../../../lib/log.ts";

const [executable = "", socketPath = "", count = ""] = process.argv.slice(2);
const logger = createLogger({ level: "debug", format: "text", write: (line) => process.stderr.write(line) });
const pool = await startWorkerPool({ executable, socketPath, count: Number(count), logger });
// Keeps the process alive.
const nothing = setInterval(() => {}, 60_000);
process.once("SIGTERM", () => {
  clearInterval(nothing);
  void pool.close();
});

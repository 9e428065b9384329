/** Load on the IPAM service, made by a process of its own. */
import { execFile } from "node:child_process";
import { join } from "node:path";

export interface LoadOrder {
  /** Path of the service's unix socket. */
  readonly socket: string;
  readonly networkName: string;
  readonly subnet: string;
  /** Requests under way at once, each on its own connection. */
  readonly callers: number;
  /** Acquire for so long … */
  readonly seconds?: number;
  /** … or so many; whichever is over first. */
  readonly count?: number;
}

export interface LoadReport {
  readonly seconds: number;
  readonly latenciesMs: readonly number[];
}

/** Beyond the time ordered: start, and the answers that are still to come. */
const SLACK_MS = 60_000;
const OUTPUT_LIMIT_BYTES = 256 * 1024 * 1024;

/** @throws when the service refuses one request, or does not answer. */
export function acquireMany(order: LoadOrder): Promise<LoadReport> {
  const program = join(import.meta.dirname, "load-generator.ts");
  const options = { timeout: (order.seconds ?? 0) * 1000 + SLACK_MS, maxBuffer: OUTPUT_LIMIT_BYTES };
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      ["--no-warnings", program, JSON.stringify(order)],
      options,
      (error, stdout, stderr) => {
        if (error)
          reject(new Error(`load of ${order.callers} callers: ${stderr.slice(-2000) || error.message}`));
        else resolve(JSON.parse(stdout) as LoadReport);
      },
    );
  });
}

/**
 * Workers of an agent that was killed. Each ends by itself as soon as it looks at its control pipe; until then it keeps the
 * listening socket, on which nobody else serves. One that is stopped never looks.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { placeOf } from "../../lib/linux/processes/process-place.ts";
import type { Logger } from "../../lib/log.ts";

const WORKER_COMMAND = "plugin-worker";

/** Arguments of a worker: what it serves at, and whose it is, for those who come after. */
export function workerArguments(socketPath: string): string[] {
  return [WORKER_COMMAND, socketPath, String(process.pid)];
}

interface Leftover {
  readonly pid: number;
  readonly keeper: number;
  readonly parent: number;
  readonly isStopped: boolean;
}

/**
 * Frees the socket's name where only workers of killed agents have it, and ends those that are stopped: their clients are told that
 * they are gone, and the attachments that they held are free. Where an agent lives, nothing is done.
 */
export function clearLeftovers(socketPath: string, logger: Logger): void {
  const workers = findWorkers(socketPath);
  if (workers.length === 0 || workers.some(({ keeper, parent }) => keeper === parent)) return;
  rmSync(socketPath, { force: true });
  for (const { pid } of workers.filter(({ isStopped }) => isStopped)) {
    logger.warn({ pid }, "agent: ending a stopped plugin worker of an agent that was killed");
    endIfThere(pid);
  }
}

/** Workers that serve at the path, as it is seen from here. */
function findWorkers(socketPath: string): Leftover[] {
  const place = placeOf("self");
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readWorker(Number(name), socketPath) ?? [])
    .filter(({ pid }) => placeOf(pid) === place);
}

function readWorker(pid: number, socketPath: string): Leftover | null {
  const [, command, path, keeper] = readProcess(pid, "cmdline").split("\0");
  if (command !== WORKER_COMMAND || path !== socketPath) return null;
  const { state, parent } = processState(pid) ?? { state: "X", parent: 0 };
  return { pid, keeper: Number(keeper), parent, isStopped: isStopped(state) };
}

/** State and parent of a process; null when it is gone. Source: proc(5), stat: the name before may hold anything but a ")" at its end. */
export function processState(pid: number): { readonly state: string; readonly parent: number } | null {
  const stat = readProcess(pid, "stat");
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state && parent ? { state, parent: Number(parent) } : null;
}

/** By a signal. One that a debugger holds is somebody's business. */
export function isStopped(state: string): boolean {
  return state === "T";
}

function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    // It has ended.
    return "";
  }
}

function endIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

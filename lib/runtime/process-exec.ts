/** Plugins as processes of the system, limited in time. */
import type { Exec } from "../cni/delegate.ts";
import { execFile } from "../linux/exec.ts";
import { statPath } from "../linux/stat.ts";
import { sleepMs } from "../linux/stdio.ts";

/** A plugin may wait for a service (10 s) and for locks; what takes longer hangs. */
const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * @param timeoutMs of one plugin: it is killed then, and the run fails with `timeout`.
 */
export function processExec(timeoutMs: number = DEFAULT_TIMEOUT_MS): Exec {
  return {
    isRegularFile: (path) => statPath(path)?.kind === "regular file",
    execFile: (program) => execFile({ ...program, timeoutMs }),
    sleepMs,
  };
}

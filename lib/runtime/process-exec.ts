/** Plugins as the system runs them: by a resident worker where there is one, as processes otherwise. Limited in time. */
import type { Exec, ExecOutcome } from "../cni/delegate.ts";
import { statPath } from "../linux/files/stat.ts";
import { sleepMs, writeAll } from "../linux/files/stdio.ts";
import { execFile } from "../linux/processes/exec.ts";
import { tryResident } from "../resident/client.ts";

/** A plugin may wait for a service (10 s) and for locks; what takes longer hangs. */
const DEFAULT_TIMEOUT_MS = 60_000;
const STDERR = 2;

/** What a worker runs, by the beginning of its name. */
const OWN_PLUGINS = "fairlead-";

export interface ProcessExecOptions {
  /** Of one plugin: it is killed then, and the run fails with `timeout`. Default 60,000. */
  readonly timeoutMs?: number;
  /** Where resident workers listen; absent: every plugin is a process. */
  readonly residentSocket?: string;
  /** Told once for each plugin that a worker takes longer than a second for. */
  readonly onSlow?: (plugin: string) => void;
}

export function processExec({
  timeoutMs = DEFAULT_TIMEOUT_MS,
  residentSocket,
  onSlow,
}: ProcessExecOptions = {}): Exec {
  return {
    isRegularFile: (path) => statPath(path)?.kind === "regular file",
    execFile: (program) => {
      const answer = residentSocket === undefined ? null : runResident(residentSocket, program, onSlow);
      return answer ?? execFile({ ...program, timeoutMs });
    },
    sleepMs,
  };
}

/** Null when no worker took it. */
function runResident(
  socketPath: string,
  { path, env, stdin }: Parameters<Exec["execFile"]>[0],
  onSlow?: (plugin: string) => void,
): ExecOutcome | null {
  const plugin = path.slice(path.lastIndexOf("/") + 1);
  if (!plugin.startsWith(OWN_PLUGINS)) return null;
  const answer = tryResident({
    socketPath,
    plugin,
    env,
    stdin,
    ...(onSlow && { onSlow: () => onSlow(plugin) }),
  });
  if (answer === null) return null;
  if (answer.stderr.length > 0) writeAll(STDERR, answer.stderr);
  return { status: answer.exitCode, signal: null, stdout: answer.stdout };
}

/** Processes as /proc shows them: their network namespaces, and whether they are what somebody says. */
import { readTextFile } from "../../lib/linux/files/files.ts";
import { netnsIdentity } from "../../lib/linux/namespaces/named-netns.ts";
import { WordedError } from "../base/worded-error.ts";
import type { Container, NetworkMode } from "./container.ts";

const OWN_NETNS = "/proc/self/ns/net";

export function processNetns(pid: number): string {
  return `/proc/${pid}/ns/net`;
}

/** "host" when the netns at `path` is the one that this command runs in. */
export function modeOfNetns(path: string): NetworkMode {
  return netnsIdentity(path) === netnsIdentity(OWN_NETNS) ? "host" : "own";
}

/** Null when there is no such process any more. */
export function parentOf(pid: number): number | null {
  // The name in parentheses may hold anything; what follows the last one is "state ppid …". Source: proc_pid_stat(5).
  const stat = readProc(pid, "stat");
  const ppid = Number(stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  return Number.isInteger(ppid) && ppid > 0 ? ppid : null;
}

/** Words of a process's command line; empty when it is gone. */
export function commandLineOf(pid: number): readonly string[] {
  return readProc(pid, "cmdline")?.split("\0") ?? [];
}

function readProc(pid: number, file: string): string | null {
  try {
    return readTextFile(`/proc/${pid}/${file}`);
  } catch {
    return null;
  }
}

/**
 * The "container" that is the netns at `path`. Its ID is derived from what is there, so that the same netns is the
 * same container again at `disconnect`.
 */
export function netnsContainer(path: string): Container {
  const identity = netnsIdentity(path);
  if (identity === null) throw new WordedError("unknown-container", `No such network namespace: ${path}`);
  const id = `netns-${identity.replaceAll(":", "-")}`;
  return { kind: "netns", id, name: "", netns: path, mode: modeOfNetns(path) };
}

/** The "container" that is the netns of process `pid`. */
export function processContainer(pid: number): Container {
  const path = processNetns(pid);
  if (netnsIdentity(path) === null) throw new WordedError("unknown-container", `No such process: ${pid}`);
  return { ...netnsContainer(path), kind: "process" };
}

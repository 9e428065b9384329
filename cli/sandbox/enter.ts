/**
 * Runs a command in a sandbox: this process enters it and becomes the command, so that terminal, signals and exit status
 * are the command's own.
 *
 * The command gets a mount namespace in which the sandbox's resolv.conf and hosts lie over the host's, and a UTS
 * namespace with its host name. Everything else is the host's.
 *
 * A thread that shares its root and working directory with others (CLONE_FS, which all threads of one process do) may not
 * leave the mount namespace; it unshares them first. `execve` ends the other threads, so what they see does not matter.
 *
 * Source: setns(2), unshare(2), mount_namespaces(7).
 */

import { pathExists } from "../../lib/linux/files/files.ts";
import { statPath } from "../../lib/linux/files/stat.ts";
import {
  CLONE_FS,
  CLONE_NEWNS,
  CLONE_NEWUTS,
  MS_BIND,
  MS_REC,
  MS_SLAVE,
  mount,
  restoreSignals,
  setHostname,
  unshare,
} from "../../lib/linux/namespaces/namespace-calls.ts";
import { enterNetns, openNetns } from "../../lib/linux/namespaces/netns.ts";
import { replaceProcess } from "../../lib/linux/processes/exec.ts";
import { WordedError } from "../base/worded-error.ts";
import type { SandboxFiles, SandboxRecord } from "./registry.ts";

/** Exit statuses of shells and of Docker. */
const NOT_EXECUTABLE_STATUS = 126;
export const NOT_FOUND_STATUS = 127;

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Path of the program that `word` means, as a shell finds it; or the exit status that says why there is none. */
export function findProgram(word: string, searchPath = DEFAULT_PATH): string | number {
  const places = word.includes("/")
    ? [word]
    : searchPath.split(":").map((folder) => `${folder || "."}/${word}`);
  const files = places.filter((path) => statPath(path)?.kind === "regular file");
  const program = files.find((path) => ((statPath(path)?.mode ?? 0) & 0o111) !== 0);
  return program ?? (files.length > 0 ? NOT_EXECUTABLE_STATUS : NOT_FOUND_STATUS);
}

/** Enters the sandbox for good. @throws WordedError when its namespace is gone; SyscallError */
export function enterSandbox(record: SandboxRecord, files: SandboxFiles): void {
  if (record.mode !== "host") {
    const netns = openNetnsOf(record);
    enterNetns(netns);
    netns.close();
  }
  unshare(CLONE_FS);
  unshare(CLONE_NEWNS | CLONE_NEWUTS);
  // What is mounted on the host later shows inside, nothing shows the other way round.
  mount("", "/", { flags: MS_SLAVE | MS_REC, type: "none" });
  if (record.mode !== "host") {
    bindOver(files.resolvConf, "/etc/resolv.conf");
    bindOver(files.hosts, "/etc/hosts");
  }
  setHostname(record.hostname);
}

function openNetnsOf({ name, netns }: SandboxRecord) {
  try {
    return openNetns(netns);
  } catch (cause) {
    throw new WordedError(
      "invalid-netns",
      `sandbox ${name} is gone: there is no network namespace at ${netns}; remove it with: fairlead sandbox rm ${name}`,
      cause,
    );
  }
}

/** A host that lacks the file gets none: a mount needs something to lie on. */
function bindOver(source: string, target: string): void {
  if (pathExists(target)) mount(source, target, { flags: MS_BIND });
}

/** Becomes the program. Returns only when it cannot be executed: the exit status that says so. */
export function becomeProgram(program: string, argv: readonly string[]): number {
  restoreSignals();
  try {
    return replaceProcess(program, argv, process.env);
  } catch {
    return NOT_EXECUTABLE_STATUS;
  }
}

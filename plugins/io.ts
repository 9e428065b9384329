/** The outside of a plugin process: environment, standard streams, namespaces and other programs, all blocking. */
import type { Exec } from "../lib/cni/delegate.ts";
import type { NetnsIdentity, PluginIo } from "../lib/cni/run-plugin.ts";
import { FairleadError } from "../lib/errors.ts";
import { SyscallError } from "../lib/linux/calls/errno.ts";
import { statPath } from "../lib/linux/files/stat.ts";
import { readAll, sleepMs, writeAll } from "../lib/linux/files/stdio.ts";
import { isOwnNetns, openNetnsIfExists } from "../lib/linux/namespaces/netns.ts";
import { execFile } from "../lib/linux/processes/exec.ts";
import { passingOrderOn, runInOrder } from "./attachment-order.ts";

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

/** The process's own streams and environment. */
export function pluginIo(): PluginIo {
  return {
    env: process.env,
    readStdin,
    writeStdout: (bytes) => writeAll(STDOUT, bytes),
    writeStderr,
    identifyNetns,
    inOrder: (key, action) => runInOrder(key, { env: process.env, log: logLine }, action),
  };
}

function logLine(message: string): void {
  writeStderr(new TextEncoder().encode(`fairlead: ${message}\n`));
}

/** Runs delegates as processes of the system. */
export const processExec: Exec = passingOrderOn({
  isRegularFile: (path) => statPath(path)?.kind === "regular file",
  execFile,
  sleepMs,
});

function readStdin(maxBytes: number): Uint8Array {
  try {
    return readAll(STDIN, { maxBytes });
  } catch (error) {
    // Reading went well; what came is no network configuration.
    if (error instanceof FairleadError && !(error instanceof SyscallError)) throw tooLarge(error);
    throw error;
  }
}

function tooLarge(cause: FairleadError): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: "read network configuration",
    reason: cause.reason,
    hint: cause.hint,
    cause,
  });
}

function writeStderr(bytes: Uint8Array): void {
  try {
    writeAll(STDERR, bytes);
  } catch {
    // Nobody reads the log, and there is nowhere else to say so.
  }
}

function identifyNetns(path: string): NetnsIdentity {
  const netns = openNetnsIfExists(path);
  if (netns === null) return "absent";
  try {
    return isOwnNetns(netns) ? "own" : "other";
  } finally {
    netns.close();
  }
}

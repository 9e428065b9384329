/** One invocation of a plugin inside of a worker: what would be the process's environment and streams are values. */
import type { PluginIo } from "../../lib/cni/run-plugin.ts";
import type { ResidentAnswer, ResidentRequest } from "../../lib/resident/frames.ts";
import { pluginIo } from "../io.ts";

/** Runs one invocation over `io` and returns the exit status that its process would have. */
export type PluginMain = (io: PluginIo) => number;

/** Runs the plugin. What it throws is a fault of ours that leaves nobody knows what: the worker must end. */
export function runInvocation(main: PluginMain, { env, stdin }: ResidentRequest): ResidentAnswer {
  const stdout: Uint8Array[] = [];
  const stderr: Uint8Array[] = [];
  const exitCode = main({
    env,
    readStdin: () => stdin,
    writeStdout: (bytes) => void stdout.push(bytes),
    writeStderr: (bytes) => void stderr.push(bytes),
    identifyNetns: pluginIo().identifyNetns,
  });
  return { exitCode, stdout: joined(stdout), stderr: joined(stderr) };
}

/** True when there is something that a DEL of the same attachment would remove. */
export function hasAttached({ env }: ResidentRequest, { exitCode }: ResidentAnswer): boolean {
  return env["CNI_COMMAND"] === "ADD" && exitCode === 0;
}

/** The request that undoes an ADD. */
export function deletionOf(request: ResidentRequest): ResidentRequest {
  return { ...request, env: { ...request.env, CNI_COMMAND: "DEL" } };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** One invocation of a plugin inside of a worker: what would be the process's environment and streams are values. */
import type { PluginIo } from "../../lib/cni/run-plugin.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { ResidentAnswer, ResidentRequest } from "../../lib/resident/frames.ts";
import { pluginIo } from "../io.ts";

/** Runs one invocation over `io` and returns the exit status that its process would have. */
export type PluginMain = (io: PluginIo) => number;

/** Whoever asked. */
export interface Client {
  /** False when the client has gone, or does not read. */
  answer(answer: ResidentAnswer): boolean;
  /** Waits until the client has passed the answer on; false when it has gone before. */
  hasReceived(): boolean;
}

/** What is left to do with an invocation that is over: to answer, or, when that is done, to tell of what came after. */
export type InvocationEnd = { readonly answer: ResidentAnswer } | { readonly log: string };

/**
 * Runs the plugin. The result of an ADD is answered here, while the plugin can still take back what it made, which it does when
 * nobody has received it.
 *
 * What the plugin throws is a fault of ours that leaves nobody knows what: the worker must end.
 */
export function runInvocation(
  main: PluginMain,
  { env, stdin }: ResidentRequest,
  client: Client,
): InvocationEnd {
  const stdout: Uint8Array[] = [];
  const stderr: Uint8Array[] = [];
  let isAnswered = false;
  const exitCode = main({
    env,
    readStdin: () => stdin,
    writeStdout: (bytes) => void stdout.push(bytes),
    writeStderr: (bytes) => void stderr.push(bytes),
    deliver: (result) => {
      isAnswered = true;
      const answer = { exitCode: 0, stdout: result, stderr: joined(stderr.splice(0)) };
      if (!client.answer(answer) || !client.hasReceived()) throw clientHasGone(env["CNI_CONTAINERID"]);
    },
    identifyNetns: pluginIo().identifyNetns,
  });
  if (isAnswered) return { log: new TextDecoder().decode(joined([...stderr, ...stdout])) };
  return { answer: { exitCode, stdout: joined(stdout), stderr: joined(stderr) } };
}

function clientHasGone(containerId = ""): FairleadError {
  return new FairleadError({
    code: "io-failure",
    operation: "tell the result of",
    object: `ADD of ${containerId}`,
    reason: "taking back the attachment: its client has gone",
  });
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

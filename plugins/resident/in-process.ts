/** Runs a plugin in its own process: what `handOver` could not hand over, or could not bring to its end. */
import { failPlugin, type PluginIo } from "../../lib/cni/run-plugin.ts";
import { writeAll } from "../../lib/linux/stdio.ts";
import { requireRepeatable } from "../../lib/resident/client.ts";
import type { ResidentAnswer } from "../../lib/resident/frames.ts";
import { pluginIo } from "../io.ts";
import type { HandedOver, Remainder } from "./hand-over.ts";

/** One invocation of a plugin, after `handOver`. */
export interface InProcessRun {
  readonly name: string;
  readonly main: (io: PluginIo) => number;
  readonly remainder: Remainder;
}

/** Returns the exit status; everything is written by then. */
export function runInProcess(run: InProcessRun): number {
  const { name, main, remainder } = run;
  const io = ioAfter(remainder);
  try {
    if (remainder.handedOver?.outcome.kind === "answered") {
      return finishWriting(run, io, remainder.handedOver.outcome.answer);
    }
    requireNotRun(name, io, remainder.handedOver);
  } catch (thrown) {
    return failPlugin({ name, io }, remainder.stdin, thrown);
  }
  return main(io);
}

function requireNotRun(plugin: string, { env }: PluginIo, handedOver: HandedOver | undefined): void {
  if (handedOver === undefined || handedOver.outcome.kind === "answered") return;
  requireRepeatable(handedOver.outcome, { socketPath: handedOver.socketPath, plugin, env });
}

/** The process's own, with what was read of stdin before. */
function ioAfter({ stdin, isWhole }: Remainder): PluginIo {
  const own = pluginIo();
  if (isWhole) return { ...own, readStdin: () => stdin };
  if (stdin.length === 0) return own;
  return { ...own, readStdin: (maxBytes) => joined(stdin, own.readStdin(maxBytes - stdin.length)) };
}

function joined(first: Uint8Array, rest: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + rest.length);
  whole.set(first);
  whole.set(rest, first.length);
  return whole;
}

/** The plugin has run; stdout did not take its result at once. An ADD that cannot tell its result is taken back. */
function finishWriting({ main, remainder }: InProcessRun, io: PluginIo, answer: ResidentAnswer): number {
  try {
    writeAll(1, answer.stdout.subarray(remainder.handedOver?.writtenBytes));
    return answer.exitCode;
  } catch (thrown) {
    if (io.env["CNI_COMMAND"] === "ADD" && answer.exitCode === 0) takeBack(main, io);
    throw thrown;
  }
}

function takeBack(main: InProcessRun["main"], io: PluginIo): void {
  main({ ...io, env: { ...io.env, CNI_COMMAND: "DEL" }, writeStdout: io.writeStderr });
}

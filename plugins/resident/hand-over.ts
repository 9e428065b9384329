/**
 * The first thing that a plugin's process does: read its input and hand it to a resident worker. With the runtime's start this
 * is all there is to most invocations, so this chunk holds nothing else; whatever is not as expected is left to the plugin
 * itself, in a chunk that is loaded then.
 */
import { type FewCalls, fewCalls } from "../../lib/linux/ffi-few.ts";
import { type ConversationOutcome, converse, START_LIMIT_MS } from "../../lib/resident/conversation.ts";
import {
  encodeRequest,
  LONGEST_REQUEST_BYTES,
  type ResidentAnswer,
  type Variables,
} from "../../lib/resident/frames.ts";
import { BUILD } from "../../lib/version.ts";
import { DEL_START_LIMIT_MS, residentSocketFor } from "./address.ts";

/** What is left for the plugin to do in this process. */
export interface Remainder {
  /** Stdin as far as it was read. */
  readonly stdin: Uint8Array;
  /** Whether that is all of it. */
  readonly isWhole: boolean;
  /** Absent: no worker was asked. */
  readonly handedOver?: HandedOver;
}

export interface HandedOver {
  /** Where a worker was asked. */
  readonly socketPath: string;
  readonly outcome: ConversationOutcome;
  /** How much of the answer's stdout is written, in bytes. */
  readonly writtenBytes: number;
}

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

const NOTHING_READ: Remainder = { stdin: new Uint8Array(0), isWhole: false };

/** False for VERSION, and for a plugin that somebody started by hand: neither has anything to do. */
export function isAboutNetwork(env: Variables): boolean {
  const verb = env["CNI_COMMAND"];
  return verb !== undefined && verb !== "" && verb !== "VERSION";
}

/** Returns the exit status when a worker ran the plugin and everything is written, else what is left to do. Never throws. */
export function handOver(plugin: string, env: Variables): number | Remainder {
  try {
    return handOverBy(fewCalls(), plugin, env);
  } catch {
    // Without C calls there is no plugin either; the plugin says so.
    return NOTHING_READ;
  }
}

function handOverBy(c: FewCalls, plugin: string, env: Variables): number | Remainder {
  const read = readStdin(c);
  const place = read.isWhole ? residentSocketFor(read.stdin) : null;
  if (place === null) return read;
  const { socketPath, limitMs } = place;
  const request = encodeRequest({ build: BUILD, plugin, env, stdin: read.stdin });
  const startLimitMs = env["CNI_COMMAND"] === "DEL" ? DEL_START_LIMIT_MS : START_LIMIT_MS;
  const outcome = converse(c, { socketPath, request, startLimitMs, limitMs });
  const writtenBytes = outcome.kind === "answered" ? write(c, outcome.answer) : 0;
  if (outcome.kind === "answered" && writtenBytes === outcome.answer.stdout.length) {
    return outcome.answer.exitCode;
  }
  return { ...read, handedOver: { socketPath, outcome, writtenBytes } };
}

/** Up to its end, or as far as a worker would take it, or to the first thing that is wrong with it. */
function readStdin(c: FewCalls): Remainder {
  const buffer = new Uint8Array(LONGEST_REQUEST_BYTES);
  for (let length = 0; ; ) {
    const space = buffer.subarray(length);
    const count = space.length > 0 ? c.read(STDIN, space, space.length) : -1;
    if (count <= 0) return { stdin: buffer.subarray(0, length), isWhole: count === 0 };
    length += count;
  }
}

/** Returns how many bytes stdout took. A log that nobody reads must not fail an ADD. */
function write(c: FewCalls, { stdout, stderr }: ResidentAnswer): number {
  if (stderr.length > 0) c.write(STDERR, stderr, stderr.length);
  return stdout.length > 0 ? Math.max(0, c.write(STDOUT, stdout, stdout.length)) : 0;
}

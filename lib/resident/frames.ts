/**
 * What a plugin and a resident worker say to each other, over one unix stream connection a request.
 *
 * The request, integers little-endian: `u32 magic | u32 header bytes | u32 stdin bytes | header | stdin`, where the header is
 * JSON of {@link RequestHeader}. The answer begins with one byte: {@link TAKEN} the moment that the worker is about to run the
 * plugin, or {@link DECLINED} when it will not. What was taken is answered by `u32 exit status | u32 stdout bytes | u32 stderr
 * bytes | stdout | stderr`. The client of an ADD that succeeded says {@link RECEIVED} when it has passed the result on; one that hangs
 * up without it is gone, and nobody has the result.
 *
 * Decoding gives null instead of an error. The front, in C, takes the numbers and names from here.
 */

/** "FLR1". */
export const REQUEST_MAGIC = 0x31_52_4c_46;
export const REQUEST_PREFIX_BYTES = 12;
export const ANSWER_PREFIX_BYTES = 12;

/** Longest request. It fits the socket's send buffer (212,992 bytes by default), so it is sent without waiting. */
export const LONGEST_REQUEST_BYTES = 96 * 1024;
/** Longest answer: results are a few KiB. */
export const LONGEST_ANSWER_BYTES = 4 * 1024 * 1024;

export const DECLINED = 0;
export const TAKEN = 1;
/** What a client says when it has passed on the result of an ADD that succeeded. */
export const RECEIVED = 1;

/** What the agent asks a worker over its control pipe, and what that answers when it has no request under way. */
export const LIFE_SIGN = new Uint8Array([1]);

/** The variables that plugins read. No other one of a client's environment reaches a worker. */
export const CNI_VARIABLES = [
  "CNI_COMMAND",
  "CNI_CONTAINERID",
  "CNI_NETNS",
  "CNI_IFNAME",
  "CNI_ARGS",
  "CNI_PATH",
  "CNI_NETNS_OVERRIDE",
] as const;

export type Variables = Readonly<Record<string, string | undefined>>;

/** What is to be run. */
interface RequestHeader {
  /** Of the client's executable: a worker runs nothing for another build than its own. */
  readonly build: string;
  /** Name of the executable: "fairlead-bridge". */
  readonly plugin: string;
  /** Those of {@link CNI_VARIABLES} that are set. */
  readonly env: Variables;
}

export interface ResidentRequest extends RequestHeader {
  readonly stdin: Uint8Array;
}

/** What the plugin's process would have left behind. */
export interface ResidentAnswer {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

const encoder = new TextEncoder();

/** Of `env` only {@link CNI_VARIABLES} are sent. */
export function encodeRequest({ build, plugin, env, stdin }: ResidentRequest): Uint8Array {
  const variables: Record<string, string> = {};
  for (const name of CNI_VARIABLES) {
    const value = env[name];
    if (value !== undefined) variables[name] = value;
  }
  const header = encoder.encode(JSON.stringify({ build, plugin, env: variables }));
  const frame = new Uint8Array(REQUEST_PREFIX_BYTES + header.length + stdin.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, REQUEST_MAGIC, true);
  view.setUint32(4, header.length, true);
  view.setUint32(8, stdin.length, true);
  frame.set(header, REQUEST_PREFIX_BYTES);
  frame.set(stdin, REQUEST_PREFIX_BYTES + header.length);
  return frame;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Bytes of the whole request that begins with `received`; undefined: not known yet; null: it is no request, or too long. */
export function requestBytes(received: Uint8Array): number | null | undefined {
  if (received.length < REQUEST_PREFIX_BYTES) return undefined;
  const view = viewOf(received);
  const total = REQUEST_PREFIX_BYTES + view.getUint32(4, true) + view.getUint32(8, true);
  return view.getUint32(0, true) === REQUEST_MAGIC && total <= LONGEST_REQUEST_BYTES ? total : null;
}

/** Reads a whole request; null when it is none. `stdin` lies in `frame`. */
export function decodeRequest(frame: Uint8Array): ResidentRequest | null {
  if (requestBytes(frame) !== frame.length) return null;
  const stdinAt = REQUEST_PREFIX_BYTES + viewOf(frame).getUint32(4, true);
  const header = parseHeader(frame.subarray(REQUEST_PREFIX_BYTES, stdinAt));
  return header && { ...header, stdin: frame.subarray(stdinAt) };
}

function parseHeader(bytes: Uint8Array): RequestHeader | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof value !== "object" || value === null) return null;
    const { build, plugin, env } = value as Partial<Record<keyof RequestHeader, unknown>>;
    const variables = readVariables(env);
    return typeof build === "string" && typeof plugin === "string" && variables
      ? { build, plugin, env: variables }
      : null;
  } catch {
    return null;
  }
}

/** Without a prototype, so that no name means anything but a variable. */
function readVariables(env: unknown): Variables | null {
  if (typeof env !== "object" || env === null) return null;
  const given = env as Readonly<Record<string, unknown>>;
  const variables: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const name of CNI_VARIABLES) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) continue;
    if (typeof value !== "string") return null;
    variables[name] = value;
  }
  return variables;
}

export function encodeAnswer({ exitCode, stdout, stderr }: ResidentAnswer): Uint8Array {
  const answer = new Uint8Array(ANSWER_PREFIX_BYTES + stdout.length + stderr.length);
  const view = new DataView(answer.buffer);
  view.setUint32(0, exitCode, true);
  view.setUint32(4, stdout.length, true);
  view.setUint32(8, stderr.length, true);
  answer.set(stdout, ANSWER_PREFIX_BYTES);
  answer.set(stderr, ANSWER_PREFIX_BYTES + stdout.length);
  return answer;
}

/** Bytes of the whole answer (without its first byte) that begins with `received`; undefined: not known yet. */
export function answerBytes(received: Uint8Array): number | undefined {
  if (received.length < ANSWER_PREFIX_BYTES) return undefined;
  const view = viewOf(received);
  return ANSWER_PREFIX_BYTES + view.getUint32(4, true) + view.getUint32(8, true);
}

/** Reads a whole answer, without its first byte. The streams lie in `answer`. */
export function decodeAnswer(answer: Uint8Array): ResidentAnswer {
  const view = viewOf(answer);
  const stderrAt = ANSWER_PREFIX_BYTES + view.getUint32(4, true);
  return {
    exitCode: view.getUint32(0, true),
    stdout: answer.subarray(ANSWER_PREFIX_BYTES, stderrAt),
    stderr: answer.subarray(stderrAt),
  };
}

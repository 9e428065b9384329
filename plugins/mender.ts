/**
 * Mends attachments one after the other: what the agent starts, because plugins block.
 *
 * Each line of stdin is `{plugin, env, config}`, where `env` and `config` are those of a CHECK; on stdout comes one line for each,
 * in order: `{"problem": ""}`, or what is wrong and what helps. One that fails keeps none of the others from being mended.
 */
import { NETWORK_CONFIGURATION } from "../lib/cni/fields.ts";
import { decodeJson, isObject, type JsonObject } from "../lib/cni/json.ts";
import { pluginIo } from "./io.ts";
import type { PluginMain } from "./resident/invocation.ts";

const MOST_BYTES = 256 * 1024 * 1024;
const NEWLINE = 10;
const encoder = new TextEncoder();

/** @param menders by plugin. Returns the exit status: everything was tried. */
export function mendFromStdin(menders: ReadonlyMap<string, PluginMain>): number {
  const io = pluginIo();
  for (const line of linesOf(io.readStdin(MOST_BYTES))) {
    const problem = problemWith(() =>
      mendOne(menders, decodeJson(line, NETWORK_CONFIGURATION) as JsonObject),
    );
    io.writeStdout(encoder.encode(`${JSON.stringify({ problem })}\n`));
  }
  return 0;
}

function* linesOf(bytes: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    yield bytes.subarray(start, end);
    start = end + 1;
  }
}

function problemWith(mend: () => string): string {
  try {
    return mend();
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

function mendOne(menders: ReadonlyMap<string, PluginMain>, { plugin, env, config }: JsonObject): string {
  const mender = menders.get(String(plugin));
  if (mender === undefined || !isObject(env)) return `${plugin} cannot be asked to mend anything`;
  const stdin = encoder.encode(JSON.stringify(config));
  const texts = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]));
  const answers: Uint8Array[] = [];
  const exitCode = mender({
    env: texts,
    readStdin: () => stdin,
    writeStdout: (bytes) => void answers.push(bytes),
    writeStderr: () => {},
    // Nothing is done inside of the container, and the runtime's path to it may lead nowhere from here.
    identifyNetns: () => "other",
  });
  const [answer] = answers;
  return exitCode === 0 || answer === undefined ? "" : problemOf(answer);
}

function problemOf(stdout: Uint8Array): string {
  const answer = decodeJson(stdout, NETWORK_CONFIGURATION);
  const { msg = "it failed without a word", details = "" } = isObject(answer) ? answer : {};
  return details === "" ? String(msg) : `${msg} (${details})`;
}

/** Runs a plugin of this program on values, where it is not asked by a runtime. */
import type { Environment } from "../../lib/cni/environment.ts";
import type { NetnsIdentity } from "../../lib/cni/run-plugin.ts";
import type { PluginMain } from "../resident/invocation.ts";

interface Call {
  /** CNI variables. */
  readonly env: Environment;
  /** What the plugin reads from stdin, as JSON. */
  readonly config: unknown;
  /** What each path of a namespace is said to lead to. */
  readonly netns: NetnsIdentity;
}

const encoder = new TextEncoder();

/** What the plugin wrote to stdout when it failed, piece by piece; null: it went well. What it logs is dropped. */
export function failureOf(main: PluginMain, { env, config, netns }: Call): readonly Uint8Array[] | null {
  const answers: Uint8Array[] = [];
  const exitCode = main({
    env,
    readStdin: () => encoder.encode(JSON.stringify(config)),
    writeStdout: (bytes) => void answers.push(bytes),
    writeStderr: () => {},
    identifyNetns: () => netns,
  });
  return exitCode === 0 ? null : answers;
}

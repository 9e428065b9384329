/** Plugins as functions: the `Exec` of tests that need no process. Takes the exam of test/contract/plugin-exec.ts. */
import type { Exec, ExecOutcome } from "../../../lib/cni/delegate.ts";
import { FairleadError } from "../../../lib/errors.ts";

/** One call of a plugin, decoded. */
export interface PluginCall {
  readonly type: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

/** Returns what the plugin prints; status 0 unless said otherwise. Null: it cannot be executed. */
export type FakePlugin = (call: PluginCall) => string | { readonly status: number; readonly stdout: string };

export const FAKE_PLUGIN_FOLDER = "/fake/bin";

export class FakePlugins implements Exec {
  readonly calls: PluginCall[] = [];
  readonly #plugins: Readonly<Record<string, FakePlugin | null>>;

  /** By name; null: a file that cannot be executed. */
  constructor(plugins: Readonly<Record<string, FakePlugin | null>>) {
    this.#plugins = plugins;
  }

  isRegularFile(path: string): boolean {
    return Object.hasOwn(this.#plugins, nameOf(path));
  }

  execFile(program: Parameters<Exec["execFile"]>[0]): ExecOutcome {
    const type = nameOf(program.path);
    const plugin = this.#plugins[type];
    if (!plugin) throw cannotStart(program.path, plugin === null ? "EACCES" : "ENOENT");
    const call = { type, env: program.env, stdin: new TextDecoder().decode(program.stdin) };
    this.calls.push(call);
    const answer = plugin(call);
    const { status, stdout } = typeof answer === "string" ? { status: 0, stdout: answer } : answer;
    return { status, signal: null, stdout: new TextEncoder().encode(stdout) };
  }

  sleepMs(): void {}
}

function nameOf(path: string): string {
  return path.startsWith(`${FAKE_PLUGIN_FOLDER}/`) ? path.slice(FAKE_PLUGIN_FOLDER.length + 1) : "";
}

function cannotStart(path: string, errnoName: string): FairleadError {
  return new FairleadError({
    code: "plugin-not-found",
    operation: "execute",
    object: path,
    reason: errnoName,
    details: { errnoName },
  });
}

/** Runs one plugin once: finds it, executes it, reads its answer or its error. */
import type { Exec } from "../cni/delegate.ts";
import type { Verb } from "../cni/environment.ts";
import { delegateFailure } from "../cni/errors.ts";
import { FairleadError } from "../errors.ts";
import type { Conflist, PluginConfig } from "./conflist.ts";
import { cniVariables, type RequestExtras, requestConfiguration } from "./request-configuration.ts";

/** Where plugins are and how they are executed. */
export interface PluginHost {
  /** Directories that plugins are looked for in, in order: `CNI_PATH`. */
  readonly pluginPath: readonly string[];
  /** Environment of every plugin, without the `CNI_*` variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly exec: Exec;
}

/** While a plugin is being installed it cannot be executed. */
const BUSY_RETRIES = 5;
const BUSY_PAUSE_MS = 200;

/**
 * Runs one verb of one plugin and returns what it printed.
 *
 * @throws DelegateError with the error object that the plugin printed; FairleadError `plugin-not-found`,
 * `decode-failure`, `timeout`, `io-failure`
 */
export function runPluginOnce(
  host: PluginHost,
  verb: Verb,
  { conflist, plugin, ...extras }: { conflist: Conflist; plugin: PluginConfig } & RequestExtras,
): Uint8Array {
  const stdin = requestConfiguration(conflist, plugin, extras);
  const env = { ...definedOnly(host.env), ...cniVariables(verb, host.pluginPath, extras.attachment) };
  const path = findPluginFile(host, plugin.type);
  const { status, signal, stdout } = executePatiently(host.exec, { path, env, stdin });
  if (status === 0) return stdout;
  throw delegateFailure(plugin.type, stdout, signal === null ? `exit status ${status}` : `signal ${signal}`);
}

/** The first regular file of that name. @throws FairleadError `plugin-not-found` */
function findPluginFile({ pluginPath, exec }: PluginHost, type: string): string {
  const found = pluginPath.map((folder) => `${folder}/${type}`).find((file) => exec.isRegularFile(file));
  if (found !== undefined) return found;
  throw new FairleadError({
    code: "plugin-not-found",
    operation: "find plugin",
    object: type,
    reason: `there is no such file in ${pluginPath.join(", ")}`,
    hint: "install it there",
  });
}

function executePatiently(
  exec: Exec,
  program: Parameters<Exec["execFile"]>[0],
): ReturnType<Exec["execFile"]> {
  for (let retry = 0; retry < BUSY_RETRIES; retry += 1) {
    try {
      return exec.execFile(program);
    } catch (thrown) {
      if (!(thrown instanceof FairleadError && thrown.details["errnoName"] === "ETXTBSY")) throw thrown;
      exec.sleepMs(BUSY_PAUSE_MS);
    }
  }
  return exec.execFile(program);
}

function definedOnly(env: PluginHost["env"]): Record<string, string> {
  const pairs = Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return Object.fromEntries(pairs);
}

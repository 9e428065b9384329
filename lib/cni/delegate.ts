/**
 * Delegation: running another plugin, most often for IPAM, as part of our own verb.
 *
 * A delegate gets our environment and our stdin, byte for byte; its error is handed on as it is.
 *
 * Source: CNI SPEC 1.1.0, section 4 "Plugin Delegation"; pkg/invoke of the reference library.
 */
import { FairleadError } from "../errors.ts";
import { checkPluginType, configurationError, readDelegateResult } from "./config.ts";
import type { Verb } from "./environment.ts";
import { delegateFailure } from "./errors.ts";
import type { PluginRequest } from "./request.ts";
import type { Result } from "./result.ts";

/** How a process ended. */
export interface ExecOutcome {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  /** "SIGKILL"; null when it ended by itself. */
  readonly signal: string | null;
  readonly stdout: Uint8Array;
}

/** What delegation needs of the system. All of it blocks. */
export interface Exec {
  /** True for a regular file, or a link to one. */
  isRegularFile(path: string): boolean;
  /**
   * Runs a program to its end, with exactly this environment and input. Its stderr is ours.
   *
   * @throws FairleadError with `details.errnoName` when it cannot be started.
   */
  execFile(program: {
    readonly path: string;
    readonly env: Readonly<Record<string, string>>;
    readonly stdin: Uint8Array;
  }): ExecOutcome;
  sleepMs(durationMs: number): void;
}

/** One delegation: which plugin, on whose behalf. */
export interface Delegation {
  /** The delegate's `type`, as configured. */
  readonly type: string;
  /** Where the type stands in the configuration, for messages. Default: "ipam.type". */
  readonly key?: string;
  readonly request: PluginRequest;
  readonly exec: Exec;
}

/** Plugins that make interfaces: ours and the reference's. They have no addresses to give, and would delegate in their turn. */
const INTERFACE_PLUGINS: ReadonlySet<string> = new Set([
  ...["fairlead-bridge", "fairlead-macvlan", "fairlead-loopback", "fairlead-portmap"],
  ...["bridge", "macvlan", "ipvlan", "ptp", "vlan", "host-device", "dummy", "tap", "loopback", "portmap"],
]);

/** Whether a plugin of this name can be asked for addresses. */
export function isInterfacePlugin(type: string): boolean {
  return INTERFACE_PLUGINS.has(type);
}

/**
 * The path of a plugin: the first regular file named `type` in the directories of `CNI_PATH`.
 *
 * @throws FairleadError `invalid-config` when the type is a path, `plugin-not-found`
 */
export function findPlugin({ type, key = "ipam.type", request, exec }: Delegation): string {
  checkPluginType(key, type);
  if (isInterfacePlugin(type) || type === request.config.raw["type"]) throw noIpam(key, type);
  const { path } = request.environment;
  const found = path.map((directory) => `${directory}/${type}`).find((file) => exec.isRegularFile(file));
  if (found !== undefined && type !== "") return found;
  throw new FairleadError({
    code: "plugin-not-found",
    operation: "find delegate",
    object: type,
    reason: `failed to find plugin "${type}" in path [${path.join(" ")}]`,
    hint: "install it there, or name its directory in CNI_PATH",
  });
}

function noIpam(key: string, type: string): FairleadError {
  return configurationError(
    key,
    `${JSON.stringify(type)} is a plugin that makes interfaces, and would call itself for addresses without end`,
    'name one that gives addresses, like "fairlead-ipam"',
  );
}

/**
 * Runs ADD. When the delegate fails, or answers what is no result, it gets a DEL before the error is thrown.
 *
 * @throws DelegateError as the delegate reported it; FairleadError `decode-failure`, `plugin-not-found`,
 * `io-failure`, `invalid-config`
 */
export function delegateAdd(delegation: Delegation): Result {
  const path = findPlugin(delegation);
  const { type, request } = delegation;
  try {
    return readDelegateResult(runDelegate(delegation, path, "ADD"), type, request.config.cniVersion);
  } catch (thrown) {
    takeBack(delegation, path);
    throw thrown;
  }
}

function takeBack(delegation: Delegation, path: string): void {
  try {
    runDelegate(delegation, path, "DEL");
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    delegation.request.log(`DEL after the failed ADD of ${delegation.type} failed too: ${message}`);
  }
}

/**
 * Runs DEL. Idempotent as far as the delegate is.
 *
 * @throws as {@link delegateAdd}
 */
export function delegateDel(delegation: Delegation): void {
  runDelegate(delegation, findPlugin(delegation), "DEL");
}

/** Runs CHECK. @throws as {@link delegateAdd} */
export function delegateCheck(delegation: Delegation): void {
  runDelegate(delegation, findPlugin(delegation), "CHECK");
}

/** Runs GC. @throws as {@link delegateAdd} */
export function delegateGc(delegation: Delegation): void {
  runDelegate(delegation, findPlugin(delegation), "GC");
}

/** Runs STATUS. @throws as {@link delegateAdd} */
export function delegateStatus(delegation: Delegation): void {
  runDelegate(delegation, findPlugin(delegation), "STATUS");
}

/** A plugin that is being installed cannot be executed while it is still open for writing. */
const BUSY_RETRIES = 5;
const BUSY_PAUSE_MS = 1000;

function runDelegate({ type, request, exec }: Delegation, path: string, verb: Verb): Uint8Array {
  const env = { ...definedOnly(request.env), CNI_COMMAND: verb };
  const program = { path, env, stdin: request.config.stdin };
  const { status, signal, stdout } = retryBusy(exec, () => exec.execFile(program));
  if (status === 0) return stdout;
  throw delegateFailure(type, stdout, signal === null ? `exit status ${status}` : `signal ${signal}`);
}

function retryBusy<T>(exec: Exec, action: () => T): T {
  for (let retry = 0; retry < BUSY_RETRIES; retry += 1) {
    try {
      return action();
    } catch (thrown) {
      if (!isBusy(thrown)) throw thrown;
      exec.sleepMs(BUSY_PAUSE_MS);
    }
  }
  return action();
}

function isBusy(thrown: unknown): boolean {
  return thrown instanceof FairleadError && thrown.details["errnoName"] === "ETXTBSY";
}

function definedOnly(env: PluginRequest["env"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

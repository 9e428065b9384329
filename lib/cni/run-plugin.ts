/**
 * Runs one invocation of a plugin from the environment and stdin to stdout and the exit status.
 *
 * The order of the checks is that of the reference skeleton: environment, stdin, JSON, name, version, verb. Unlike
 * it, the container netns is looked at before anything is done, so that stdout never holds a result and an error.
 * Everything is synchronous: a plugin lives for milliseconds and does one thing.
 *
 * Source: CNI SPEC 1.1.0, "CNI operations"; pkg/skel/skel.go of the reference library.
 */
import { FairleadError } from "../errors.ts";
import { undoOnFailure } from "../undo.ts";
import { decodeConfig, namedVersion, readPrevResult, readRequestConfig } from "./config.ts";
import {
  type CniEnvironment,
  type Environment,
  parseCniArgs,
  readEnvironment,
  type Verb,
} from "./environment.ts";
import { toCniError } from "./errors.ts";
import { type JsonObject, MAX_JSON_BYTES } from "./json.ts";
import type {
  AddRequest,
  AttachmentKey,
  AttachmentRequest,
  PluginHandlers,
  PluginRequest,
} from "./request.ts";
import { formatResult, type Result } from "./result.ts";
import { readValidAttachments } from "./sections.ts";
import { type CniVersion, hasCheck, hasGc, hasStatus, isCniVersion, NEWEST_CNI_VERSION } from "./versions.ts";

/** Which network namespace a path leads to; "absent": the path leads nowhere. */
export type NetnsIdentity = "own" | "other" | "absent";

/** The outside, as a plugin sees it. */
export interface PluginIo {
  readonly env: Environment;
  /** Stdin to its end. @throws FairleadError `io-failure`; `invalid-config` beyond `maxBytes` */
  readStdin(maxBytes: number): Uint8Array;
  /** Returns after every byte was taken. @throws FairleadError `io-failure` */
  writeStdout(bytes: Uint8Array): void;
  /** Like {@link writeStdout}, for the result of an ADD that succeeded. Default: that. @throws when nobody takes it. */
  deliver?(result: Uint8Array): void;
  /** Runs `action` while no other ADD or DEL for the attachment runs. Default: at once. @throws FairleadError timeout */
  inOrder?<T>(key: AttachmentKey, action: () => T): T;
  /** Never throws: a log that nobody reads must not fail an ADD. */
  writeStderr(bytes: Uint8Array): void;
  /** @throws FairleadError `invalid-netns` when there is something else at `path`, saying what. */
  identifyNetns(path: string): NetnsIdentity;
}

export interface Plugin {
  /** Name of the executable: "fairlead-bridge". */
  readonly name: string;
  /** Version of Fairlead. */
  readonly version: string;
  readonly supportedVersions: readonly CniVersion[];
  /** Keys of `CNI_ARGS` that the plugin understands. Absent: it does not look at `CNI_ARGS` at all. */
  readonly argKeys?: readonly string[];
  readonly handlers: PluginHandlers;
  readonly io: PluginIo;
}

const encoder = new TextEncoder();

/** Runs one invocation. Returns the exit status; everything is written by then. Never throws. */
export function runPlugin(plugin: Plugin): number {
  const answer = { version: NEWEST_CNI_VERSION };
  try {
    const environment = readEnvironment(plugin.io.env);
    if (environment === null) plugin.io.writeStderr(encoder.encode(usage(plugin)));
    else if (environment.verb === "VERSION") writeJson(plugin.io, versionAnswer(plugin));
    else serve(plugin, { environment, verb: environment.verb, answer });
    return 0;
  } catch (thrown) {
    reportFailure(plugin, thrown, answer.version);
    return 1;
  }
}

function usage({ name, version, supportedVersions }: Plugin): string {
  return (
    `CNI ${name} plugin ${version}\n` +
    `CNI protocol versions supported: ${supportedVersions.join(", ")}\n` +
    "Set CNI_COMMAND and the other CNI_* variables, and give the network configuration on stdin.\n"
  );
}

/** Answers in the version that stdin names; stdin may be empty or hold anything. */
function versionAnswer({ io, supportedVersions }: Plugin): JsonObject {
  const cniVersion = versionOnStdin(io) || NEWEST_CNI_VERSION;
  return { cniVersion, supportedVersions };
}

function versionOnStdin(io: PluginIo): string {
  try {
    return namedVersion(decodeConfig(io.readStdin(MAX_JSON_BYTES)));
  } catch {
    // Which versions we speak does not depend on what we were given.
    return "";
  }
}

interface Invocation {
  readonly environment: CniEnvironment;
  readonly verb: ConfiguredVerb;
  /** The version to answer in, as soon as it is known. */
  readonly answer: { version: CniVersion };
}

function serve(plugin: Plugin, { environment, verb, answer }: Invocation): void {
  const stdin = plugin.io.readStdin(MAX_JSON_BYTES);
  const raw = decodeConfig(stdin);
  const named = namedVersion(raw);
  if (isCniVersion(named)) answer.version = named;
  const config = readRequestConfig(raw, stdin, plugin.supportedVersions);
  answer.version = config.cniVersion;
  const { allowed, run } = VERBS[verb];
  if (!allowed(config.cniVersion)) throw verbNotAllowed(verb, config.cniVersion);
  run(plugin, { config, environment, env: plugin.io.env, log: logger(plugin) });
}

function logger({ name, io }: Plugin): (message: string) => void {
  return (message) => io.writeStderr(encoder.encode(`${name}: ${message}\n`));
}

function verbNotAllowed(verb: Verb, version: CniVersion): FairleadError {
  return new FairleadError({
    code: "incompatible-cni-version",
    operation: "run verb",
    object: verb,
    reason: `config version does not allow ${verb}: it is ${version}`,
    hint: "use a newer cniVersion",
  });
}

/** The verbs that need a configuration. */
type ConfiguredVerb = Exclude<Verb, "VERSION">;

interface VerbRow {
  /** Whether a configuration of this version may ask for the verb. */
  readonly allowed: (version: CniVersion) => boolean;
  readonly run: (plugin: Plugin, request: PluginRequest) => void;
}

const always = (): boolean => true;

const VERBS: Readonly<Record<ConfiguredVerb, VerbRow>> = {
  ADD: { allowed: always, run: add },
  DEL: { allowed: always, run: del },
  CHECK: { allowed: hasCheck, run: check },
  GC: { allowed: hasGc, run: gc },
  STATUS: { allowed: hasStatus, run: ({ handlers }, request) => handlers.status(request) },
};

function add(plugin: Plugin, base: PluginRequest): void {
  const netns = requireNetns(plugin.io, base.environment);
  const prevResult = readPrevResult(base.config);
  const closers: (() => void)[] = [];
  const atEnd = (close: () => void): void => void closers.unshift(close);
  const request = { ...base, ...attachment(plugin, base), prevResult, netns, atEnd };
  inOrder(plugin, request.key, () => {
    try {
      undoOnFailure(base.log, (undo) => attach(plugin, { ...request, undo }));
    } finally {
      for (const close of closers) close();
    }
  });
}

/** An ADD that cannot tell its result has failed, and a failed ADD leaves nothing: of its own, that is, and nothing else. */
function attach({ handlers, io }: Plugin, request: AddRequest): void {
  const result = formatResult(handlers.add(request), request.config.cniVersion);
  const bytes = encoder.encode(JSON.stringify(result));
  if (io.deliver) io.deliver(bytes);
  else io.writeStdout(bytes);
}

function inOrder({ io }: Plugin, key: AttachmentKey, action: () => void): void {
  if (io.inOrder) io.inOrder(key, action);
  else action();
}

function del(plugin: Plugin, base: PluginRequest): void {
  const netns = netnsForDel(plugin.io, base);
  const prevResult = prevResultForDel(base);
  const request = { ...base, ...attachmentForDel(plugin, base), prevResult, netns };
  inOrder(plugin, request.key, () => plugin.handlers.del(request));
}

/** The key is all that DEL needs: arguments that nobody understands are worth a line in the log, no more. */
function attachmentForDel(plugin: Plugin, base: PluginRequest): Pick<AttachmentRequest, "key" | "args"> {
  try {
    return attachment(plugin, base);
  } catch (thrown) {
    base.log(`going on without CNI_ARGS: ${messageOf(thrown)}`);
    return attachment(
      { ...plugin, argKeys: [] },
      { ...base, environment: { ...base.environment, args: "" } },
    );
  }
}

function check(plugin: Plugin, base: PluginRequest): void {
  const netns = requireNetns(plugin.io, base.environment);
  const prevResult = readPrevResult(base.config);
  if (prevResult === null) {
    throw new FairleadError({
      code: "invalid-config",
      operation: "read network configuration",
      object: "prevResult",
      reason: "Required prevResult missing",
      hint: "give CHECK the result of ADD",
    });
  }
  plugin.handlers.check({ ...base, ...attachment(plugin, base), prevResult, netns });
}

function gc({ handlers }: Plugin, base: PluginRequest): void {
  const validAttachments = readValidAttachments(base.config.raw);
  if (validAttachments === null) {
    base.log("GC without cni.dev/valid-attachments: nothing is known to be stale, so nothing is removed");
  } else {
    handlers.gc({ ...base, validAttachments });
  }
}

function attachment({ argKeys }: Plugin, base: PluginRequest): Pick<AttachmentRequest, "key" | "args"> {
  const { containerId, ifname, args } = base.environment;
  return {
    key: { networkName: base.config.networkName, containerId, ifname },
    args: argKeys === undefined ? new Map() : parseCniArgs(args, argKeys),
  };
}

function requireNetns(io: PluginIo, { netns, netnsOverride }: CniEnvironment): string {
  const identity = io.identifyNetns(netns);
  if (identity === "absent") throw netnsError(netns, "it does not exist");
  if (identity === "own" && !netnsOverride) throw ownNetnsError(netns);
  return netns;
}

function netnsForDel(io: PluginIo, request: PluginRequest): string | null {
  const { netns, netnsOverride } = request.environment;
  const identity = netns === "" ? "absent" : identifyForDel(io, request);
  if (identity === "own" && !netnsOverride) throw ownNetnsError(netns);
  return identity === "absent" ? null : netns;
}

/** A path that leads to something else is what a netns leaves that was mounted there: it is gone. */
function identifyForDel(io: PluginIo, { environment, log }: PluginRequest): NetnsIdentity {
  try {
    return io.identifyNetns(environment.netns);
  } catch (thrown) {
    if (!(thrown instanceof FairleadError) || thrown.code !== "invalid-netns") throw thrown;
    log(`taking the container's netns for gone: ${messageOf(thrown)}`);
    return "absent";
  }
}

function ownNetnsError(netns: string): FairleadError {
  return netnsError(netns, "plugin's netns and netns from CNI_NETNS should not be the same");
}

function netnsError(netns: string, reason: string): FairleadError {
  return new FairleadError({
    code: "invalid-netns",
    operation: "open container netns",
    object: JSON.stringify(netns),
    reason,
    hint: "set CNI_NETNS to the path of the container's network namespace",
  });
}

/** DEL must get on with what it has: a prevResult that nobody can read is worth a line in the log, no more. */
function prevResultForDel({ config, log }: PluginRequest): Result | null {
  try {
    return readPrevResult(config);
  } catch (thrown) {
    log(`going on without prevResult: ${messageOf(thrown)}`);
    return null;
  }
}

function reportFailure(
  { name, io }: Pick<Plugin, "name" | "io">,
  thrown: unknown,
  version: CniVersion,
): void {
  try {
    writeJson(io, toCniError(thrown, version));
  } catch (unwritten) {
    io.writeStderr(encoder.encode(`${name}: ${messageOf(thrown)} | ${messageOf(unwritten)}\n`));
  }
}

function writeJson(io: PluginIo, value: JsonObject): void {
  io.writeStdout(encoder.encode(JSON.stringify(value)));
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

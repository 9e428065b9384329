/**
 * The runtime's side of CNI: what container runtimes get from libcni, for our own command line and agent.
 *
 * Everything blocks. One attachment is worked on by one caller at a time; that is the caller's duty, as it is any
 * runtime's. What a plugin reports as its error is thrown as it reported it.
 *
 * Source: CNI SPEC 1.1.0, sections 2 "Execution Protocol" and 3 "Execution of Network Configurations"; libcni 1.3.
 */
import { Attempts } from "../attempts.ts";
import { readDelegateResult } from "../cni/config.ts";
import { decodeJson, isObject, type JsonObject, requireObject } from "../cni/json.ts";
import type { AttachmentKey } from "../cni/request.ts";
import { EMPTY_RESULT, formatResult, type Result } from "../cni/result.ts";
import type { AttachmentId } from "../cni/sections.ts";
import { type CniVersion, hasCheck, hasGc, hasStatus } from "../cni/versions.ts";
import { FairleadError } from "../errors.ts";
import { type CachedAttachment, type OwnerNotes, parseRawResult, type ResultCache } from "./cache.ts";
import type { Conflist } from "./conflist.ts";
import { type PluginHost, runPluginOnce } from "./plugin-run.ts";
import { keyOf, type RequestExtras, type RuntimeAttachment } from "./request-configuration.ts";

export interface RuntimeOptions extends PluginHost {
  readonly cache: ResultCache;
}

export interface DelOptions {
  /** True: a plugin that fails does not keep those behind it from running, and the entry of the cache goes. */
  readonly force?: boolean;
}

/** What ADD leaves in the cache beside the result. */
export interface AddOptions {
  /** Called before the plugins run, with null, and after: what is remembered may depend on what was made. */
  readonly notes?: (result: JsonObject | null) => OwnerNotes;
}

/** The final result of a chain. */
export interface AddOutcome {
  /** As it was printed, in the version of the configuration. */
  readonly raw: JsonObject;
  /** Decoded, which takes longer than most callers want to wait for what they do not look at. */
  readonly result: Result;
}

export class NetworkRuntime {
  readonly #host: PluginHost;
  readonly #cache: ResultCache;

  constructor({ cache, ...host }: RuntimeOptions) {
    this.#host = host;
    this.#cache = cache;
  }

  /**
   * Attaches: every plugin in order, each given the result of the one before. The entry of the cache is there, without a
   * result, before the first plugin runs, and durable when this returns.
   *
   * When a plugin fails, or the entry cannot be written, every plugin gets a DEL before the error is thrown.
   */
  add(conflist: Conflist, attachment: RuntimeAttachment, options: AddOptions = {}): AddOutcome {
    const { notes = () => ({}) } = options;
    this.#cache.requireFree(keyOf(conflist, attachment));
    this.#cache.begin(conflist, attachment, notes(null));
    try {
      const raw = this.#addAll(conflist, attachment);
      this.#cache.put(conflist, attachment, { result: raw, notes: notes(raw) });
      return outcomeOf(raw);
    } catch (thrown) {
      this.#takeBack(conflist, attachment);
      throw thrown;
    }
  }

  #addAll(conflist: Conflist, attachment: RuntimeAttachment): JsonObject {
    let prevResult: JsonObject | null = null;
    for (const plugin of conflist.plugins) {
      const stdout = runPluginOnce(this.#host, "ADD", { conflist, plugin, attachment, prevResult });
      prevResult = readAnswer(stdout, plugin.type, conflist.cniVersion);
    }
    return prevResult ?? formatResult(EMPTY_RESULT, conflist.cniVersion);
  }

  /** What fails here is not worth more than the error that led here: the plugins hold what they could not undo. */
  #takeBack(conflist: Conflist, attachment: RuntimeAttachment): void {
    try {
      this.del(conflist, attachment, { force: true });
    } catch {
      // The reason of the failed ADD is what is reported.
    }
  }

  /**
   * Detaches: every plugin in reverse order, each given the final result of ADD, then the entry of the cache goes.
   * Repeatable. Works from `conflist`; use {@link delCached} to work from what was true at ADD.
   *
   * A plugin that fails ends it, unless `force` is given: the firewall of a later plugin must be gone before an
   * earlier one gives the address away.
   */
  del(conflist: Conflist, attachment: RuntimeAttachment, { force = false }: DelOptions = {}): void {
    const key = keyOf(conflist, attachment);
    const prevResult = this.#prevResult(conflist, key);
    const attempts = new Attempts();
    for (const plugin of [...conflist.plugins].reverse()) {
      attempts.run(() => void runPluginOnce(this.#host, "DEL", { conflist, plugin, attachment, prevResult }));
      if (!force) attempts.throwIfFailed("detach", `${key.containerId} from network ${key.networkName}`);
    }
    this.#cache.remove(key);
    attempts.throwIfFailed("detach", `${key.containerId} from network ${key.networkName}`);
  }

  /** {@link del} with the configuration and the parameters that ADD had. `netns` replaces the path of then. */
  delCached(cached: CachedAttachment, options: DelOptions & { readonly netns?: string } = {}): void {
    const { netns = cached.netns, ...rest } = options;
    this.del(cached.conflist, { ...cached, netns }, rest);
  }

  /**
   * @throws FairleadError `incompatible-cni-version` before 0.4.0; `check-failed` when nothing is known of the
   * attachment; what a plugin finds.
   */
  check(conflist: Conflist, attachment: RuntimeAttachment): void {
    this.#requireVerb(conflist, "CHECK", hasCheck);
    if (conflist.disableCheck) return;
    const prevResult = this.#prevResult(conflist, keyOf(conflist, attachment));
    if (prevResult === null) throw unknownAttachment(conflist, attachment);
    for (const plugin of conflist.plugins)
      runPluginOnce(this.#host, "CHECK", { conflist, plugin, attachment, prevResult });
  }

  /** True when every plugin says that it can serve ADD; always, before 1.1.0. @throws what a plugin says. */
  status(conflist: Conflist): void {
    if (!hasStatus(conflist.cniVersion)) return;
    for (const plugin of conflist.plugins) runPluginOnce(this.#host, "STATUS", { conflist, plugin });
  }

  /** The versions that a plugin says it speaks. */
  version(conflist: Conflist, type: string): readonly string[] {
    const plugin = { type, capabilities: [], raw: {} };
    const stdout = runPluginOnce(this.#host, "VERSION", { conflist, plugin });
    const answer = decodeJson(stdout, { operation: `read version of ${type}`, fault: "decode-failure" });
    const versions = isObject(answer) ? answer["supportedVersions"] : undefined;
    return Array.isArray(versions) ? versions.filter((version) => typeof version === "string") : [];
  }

  /**
   * Removes every attachment of the network that is not among `valid`: DEL for those in the cache, then, from 1.1.0
   * on, the verb GC for what no cache tells of. Goes on past failures and reports them at the end.
   */
  gc(conflist: Conflist, valid: readonly AttachmentId[]): void {
    if (conflist.disableGc) return;
    const attempts = new Attempts();
    for (const cached of this.#cache.list()) {
      if (cached.networkName !== conflist.name || isAmong(valid, cached)) continue;
      attempts.run(() => this.del(conflist, cached));
    }
    if (hasGc(conflist.cniVersion)) {
      const extras: RequestExtras = { keys: validAttachmentKeys(valid) };
      for (const plugin of conflist.plugins)
        attempts.run(() => void runPluginOnce(this.#host, "GC", { conflist, plugin, ...extras }));
    }
    attempts.throwIfFailed("collect garbage of network", conflist.name);
  }

  /** In the version of the configuration, whatever version it was cached in; null before 0.4.0 and without an entry. */
  #prevResult({ cniVersion }: Conflist, key: AttachmentKey): JsonObject | null {
    if (!hasCheck(cniVersion)) return null;
    const cached = this.#cache.find(key);
    if (cached === null || cached.rawResult === null) return null;
    if (cached.rawResult["cniVersion"] === cniVersion) return cached.rawResult;
    return formatResult(parseRawResult(cached.rawResult), cniVersion);
  }

  #requireVerb({ name, cniVersion }: Conflist, verb: string, has: (version: CniVersion) => boolean): void {
    if (has(cniVersion)) return;
    throw new FairleadError({
      code: "incompatible-cni-version",
      operation: verb,
      object: name,
      reason: `version ${cniVersion} of the configuration does not have it`,
      hint: 'add "cniVersions": ["1.0.0"] to the conflist',
    });
  }
}

function outcomeOf(raw: JsonObject): AddOutcome {
  return {
    raw,
    get result() {
      return parseRawResult(raw);
    },
  };
}

/**
 * What a plugin printed, handed on as it is when it is in the version that was asked for, which it has to be; converted
 * otherwise.
 */
function readAnswer(stdout: Uint8Array, type: string, version: CniVersion): JsonObject {
  const reading = { operation: `read result of ${type}`, fault: "decode-failure" } as const;
  const raw = requireObject(decodeJson(stdout, reading), reading);
  if (raw["cniVersion"] === version) return raw;
  return formatResult(readDelegateResult(stdout, type, version), version);
}

function isAmong(valid: readonly AttachmentId[], { containerId, ifname }: AttachmentId): boolean {
  return valid.some((other) => other.containerId === containerId && other.ifname === ifname);
}

/** Under both names: the released one, and that in the text of the specification as tagged v1.1.0. */
function validAttachmentKeys(valid: readonly AttachmentId[]): JsonObject {
  const attachments = valid.map(({ containerId, ifname }) => ({ containerID: containerId, ifname }));
  return { "cni.dev/valid-attachments": attachments, "cni.dev/attachments": attachments };
}

function unknownAttachment(conflist: Conflist, { containerId, ifname }: RuntimeAttachment): FairleadError {
  return new FairleadError({
    code: "check-failed",
    operation: "check",
    object: `${ifname} of ${containerId} on network ${conflist.name}`,
    reason: "no result is cached for it",
    hint: "it was attached by somebody else, or not at all",
  });
}

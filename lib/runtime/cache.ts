/**
 * The cache of results: what was attached, with which configuration, and what came of it.
 *
 * One file an attachment, in the directory and the form of libcni, so that tools built on it read ours and we read
 * theirs. It is what DEL works from: the configuration as it was at ADD, whatever became of the conflist since.
 *
 * The key `fairlead` is ours: it marks the attachments that this command line made, with what is needed to see later
 * that they are stale. libcni passes over keys that it does not know.
 *
 * Source: libcni 1.3, `cachedInfo`; the file name is `<network>-<containerId>-<ifname>`, which is not unique by itself
 * (networks `a` and `a-b`), so what is inside decides, and a name that another attachment has is refused.
 */
import { anything, list, type Read, readFields, text } from "../cni/fields.ts";
import { decodeJson, isObject, type JsonObject } from "../cni/json.ts";
import type { AttachmentKey } from "../cni/request.ts";
import { parseResult, type Result } from "../cni/result.ts";
import { isCniVersion, UNNAMED_CNI_VERSION } from "../cni/versions.ts";
import { FairleadError } from "../errors.ts";
import { closeFd } from "../linux/calls/errno.ts";
import {
  listDirectory,
  makeDirectories,
  O_CREAT,
  O_TRUNC,
  O_WRONLY,
  openFile,
  readFileIfExists,
  removeAbandonedTemporaries,
  removeFile,
  writeFileDurable,
} from "../linux/files/files.ts";
import { writeAll } from "../linux/files/stdio.ts";
import { type Conflist, readConflist } from "./conflist.ts";
import { keyOf, type RuntimeAttachment } from "./request-configuration.ts";

/** libcni's default. */
const DEFAULT_CACHE_DIRECTORY = "/var/lib/cni";

const KIND = "cniCacheV1";

/** What only Fairlead writes into an entry; null: another runtime made it. */
export type OwnerNotes = Readonly<Record<string, string>>;

/** One attachment of the cache. */
export interface CachedAttachment extends RuntimeAttachment, AttachmentKey {
  /** The conflist as it was at ADD. */
  readonly conflist: Conflist;
  /** The final result as it was printed; null when the entry has none. */
  readonly rawResult: JsonObject | null;
  readonly notes: OwnerNotes | null;
  readonly file: string;
}

/** The result in a form for reading. */
export function resultOf({ rawResult }: CachedAttachment): Result | null {
  return rawResult && parseRawResult(rawResult);
}

/** @throws FairleadError `decode-failure` */
export function parseRawResult(raw: JsonObject): Result {
  const named = raw["cniVersion"];
  const version = typeof named === "string" && isCniVersion(named) ? named : UNNAMED_CNI_VERSION;
  return parseResult(raw, version, { operation: "read result", fault: "decode-failure" });
}

const ENTRY_FIELDS = {
  kind: text(),
  containerId: text(),
  config: text(),
  ifName: text(),
  networkName: text(),
  netns: text(),
  cniArgs: list(list(text())),
  capabilityArgs: anything,
  result: anything,
  fairlead: anything,
};

const encoder = new TextEncoder();

export class ResultCache {
  readonly #folder: string;

  /** @param directory libcni's `CacheDir`. */
  constructor(directory: string = DEFAULT_CACHE_DIRECTORY) {
    this.#folder = `${directory}/results`;
  }

  /** The attachment, or null when it is not there or no entry of the present kind. */
  find(key: AttachmentKey): CachedAttachment | null {
    const entry = this.#read(fileName(key));
    return entry !== null && isSame(entry, key) ? entry : null;
  }

  /** Every readable entry, by file name; of one container when its ID is given. */
  list(containerId?: string): CachedAttachment[] {
    const names = listDirectory(this.#folder).sort();
    const wanted = containerId === undefined ? names : names.filter((n) => n.includes(`-${containerId}-`));
    const entries = wanted.flatMap((name) => this.#read(name) ?? []);
    return containerId === undefined ? entries : entries.filter((e) => e.containerId === containerId);
  }

  /** True when somebody is attached to the network of that name. */
  holdsNetwork(networkName: string): boolean {
    const names = listDirectory(this.#folder).filter((name) => name.startsWith(`${networkName}-`));
    return names.some((name) => this.#read(name)?.networkName === networkName);
  }

  /** @throws FairleadError `already-exists` when the file of `key` holds another attachment. */
  requireFree(key: AttachmentKey): void {
    const entry = this.#read(fileName(key));
    if (entry === null || isSame(entry, key)) return;
    throw new FairleadError({
      code: "already-exists",
      operation: "cache result",
      object: fileName(key),
      reason: `that name is taken by container ${entry.containerId} on network ${entry.networkName}`,
      hint: "give the network another name",
    });
  }

  /**
   * Notes that an attachment is being made, without its result, so that whoever comes after a killed command finds what it
   * began. Survives the process, not the machine: after a reboot there is nothing to find.
   */
  begin(conflist: Conflist, attachment: RuntimeAttachment, notes: OwnerNotes): void {
    makeDirectories(this.#folder, 0o700);
    const path = this.#path(keyOf(conflist, attachment));
    const fd = openFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600);
    try {
      writeAll(fd, encodeEntry(conflist, attachment, { notes }), path);
    } finally {
      closeFd(fd);
    }
  }

  /** Writes the entry; it is durable when this returns. */
  put(
    conflist: Conflist,
    attachment: RuntimeAttachment,
    content: { readonly result: JsonObject; readonly notes: OwnerNotes },
  ): void {
    writeFileDurable(this.#path(keyOf(conflist, attachment)), encodeEntry(conflist, attachment, content));
  }

  /**
   * Idempotent. Also removes what commands that were killed left of entries. Not synced: an entry that a power cut brings back
   * tells of a netns that the reboot took away, and whoever finds it runs DEL once more, which changes nothing.
   */
  remove(key: AttachmentKey): void {
    removeAbandonedTemporaries(this.#folder);
    const entry = this.#read(fileName(key));
    if (entry !== null && !isSame(entry, key)) return;
    removeFile(`${this.#folder}/${fileName(key)}`);
  }

  #path(key: AttachmentKey): string {
    return `${this.#folder}/${fileName(key)}`;
  }

  /** Null for what is no entry: results of libcni before 0.7, files of others, entries that vanish meanwhile. */
  #read(name: string): CachedAttachment | null {
    const file = `${this.#folder}/${name}`;
    try {
      const bytes = readFileIfExists(file);
      return bytes === null ? null : readCacheEntry(bytes, file);
    } catch (thrown) {
      if (thrown instanceof FairleadError && thrown.code === "permission-denied") throw thrown;
      return null;
    }
  }
}

function encodeEntry(
  conflist: Conflist,
  attachment: RuntimeAttachment,
  { result, notes }: { readonly result?: JsonObject; readonly notes: OwnerNotes },
): Uint8Array {
  const { containerId, ifname, netns, cniArgs = [], capabilityArgs = {} } = attachment;
  const entry = {
    kind: KIND,
    containerId,
    config: toBase64(encoder.encode(JSON.stringify(conflist.raw))),
    ifName: ifname,
    networkName: conflist.name,
    ...(netns !== "" && { netns }),
    ...(cniArgs.length > 0 && { cniArgs }),
    ...(Object.keys(capabilityArgs).length > 0 && { capabilityArgs }),
    ...(result && { result }),
    fairlead: notes,
  };
  return encoder.encode(JSON.stringify(entry));
}

/** True for what a command began and did not live to finish. */
export function isHalfMade({ rawResult, notes }: CachedAttachment): boolean {
  return rawResult === null && notes !== null;
}

/**
 * Reads one entry. Null for one of another kind: libcni before 0.7 wrote results alone.
 * @throws FairleadError `decode-failure`, `invalid-config`
 */
export function readCacheEntry(bytes: Uint8Array, file: string): CachedAttachment | null {
  const reading = { operation: "read cached result", fault: "decode-failure" } as const;
  const raw = decodeJson(bytes, reading);
  if (!isObject(raw)) return null;
  const entry = readFields(ENTRY_FIELDS, raw, { path: "", reading });
  if (entry.kind !== KIND || entry.networkName === "" || entry.containerId === "") return null;
  return { ...attachmentOf(entry), conflist: configOf(entry), file };
}

function attachmentOf(entry: Read<typeof ENTRY_FIELDS>): Omit<CachedAttachment, "conflist" | "file"> {
  const { containerId, ifName, networkName, netns, cniArgs, capabilityArgs, result, fairlead } = entry;
  return {
    containerId,
    ifname: ifName,
    networkName,
    netns,
    cniArgs: cniArgs.map(([key = "", value = ""]) => [key, value] as const),
    capabilityArgs: isObject(capabilityArgs) ? capabilityArgs : {},
    rawResult: isObject(result) ? result : null,
    notes: isObject(fairlead) ? textsOf(fairlead) : null,
  };
}

function textsOf(object: JsonObject): OwnerNotes {
  return Object.fromEntries(
    Object.entries(object).filter((pair): pair is [string, string] => typeof pair[1] === "string"),
  );
}

/** libcni also caches the single plugin of `AddNetwork`, which is no list. */
function configOf({ config, networkName }: Read<typeof ENTRY_FIELDS>): Conflist {
  const raw = decodeJson(fromBase64(config), {
    operation: "read cached configuration",
    fault: "decode-failure",
  });
  if (!isObject(raw)) throw new Error("no configuration");
  const whole = Array.isArray(raw["plugins"])
    ? raw
    : { name: networkName, cniVersion: raw["cniVersion"] ?? "", plugins: [raw] };
  return readConflist(whole, networkName);
}

function isSame(entry: CachedAttachment, key: AttachmentKey): boolean {
  return (
    entry.networkName === key.networkName &&
    entry.containerId === key.containerId &&
    entry.ifname === key.ifname
  );
}

function fileName({ networkName, containerId, ifname }: AttachmentKey): string {
  return `${networkName}-${containerId}-${ifname}`;
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

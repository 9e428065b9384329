/**
 * Attachments that a GC was not told about, because somebody else looks after them.
 *
 * A network may serve several runtimes, and each knows its own attachments alone. Who attaches by way of libcni, or of
 * Fairlead's command line, keeps a record of each attachment until its DEL. The record of an attachment whose network
 * namespace is there says that somebody still answers for it. libcni deletes the attachments that it finds stale, and
 * their records, before it calls GC: what is left is not the caller's.
 *
 * Whoever wants a requested address for himself (gone-holder.ts) goes by the same records.
 *
 * Source: libcni 1.3, GCNetworkList and `cachedInfo`.
 */
import { list, object, readLeniently, text } from "../lib/cni/fields.ts";
import { decodeJson, isObject, type JsonObject } from "../lib/cni/json.ts";
import type { AttachmentKey, GcRequest } from "../lib/cni/request.ts";
import { type AttachmentId, VALID_ATTACHMENT_KEYS } from "../lib/cni/sections.ts";
import { FairleadError } from "../lib/errors.ts";
import { listDirectory, readFileIfExists } from "../lib/linux/files/files.ts";
import { openNetnsIfExists } from "../lib/linux/namespaces/netns.ts";

/** Where libcni keeps its records unless it is told otherwise, and Fairlead's command line, too. */
const RECORDS_DIRECTORY = "/var/lib/cni/results";
const LONGEST_RECORD_BYTES = 1024 * 1024;

const READING = { operation: "read record of attachment", fault: "decode-failure" } as const;

const RECORD_FIELDS = {
  networkName: text(),
  containerId: text(),
  ifName: text(),
  netns: text(),
  result: object({ interfaces: list(object({ sandbox: text() })) }),
};

/** An attachment that somebody has a record of. */
interface RecordedAttachment extends AttachmentId {
  readonly file: string;
  /** Path of its namespace, which leads to one. */
  readonly netns: string;
}

/** The request with every attachment as valid that another manager answers for. Each one is a line in the log. */
export function sparingOthers(request: GcRequest): GcRequest {
  const others = othersOf(request);
  for (const { containerId, ifname, file, netns } of others) {
    request.log(
      `keeping ${containerId} (${ifname}), which the list of valid attachments lacks: ${file} records it, and its ` +
        `namespace ${netns} is there; a network of several runtimes should say "disableGC": true`,
    );
  }
  if (others.length === 0) return request;
  const added = others.map(({ containerId, ifname }) => ({ containerId, ifname }));
  return withValid(request, [...request.validAttachments, ...added]);
}

/** A delegate must hear of them, too. */
function withValid(request: GcRequest, validAttachments: readonly AttachmentId[]): GcRequest {
  const { config } = request;
  const list = validAttachments.map(({ containerId, ifname }) => ({ containerID: containerId, ifname }));
  const raw: JsonObject = {
    ...config.raw,
    ...Object.fromEntries(VALID_ATTACHMENT_KEYS.map((key) => [key, list])),
  };
  const stdin = new TextEncoder().encode(JSON.stringify(raw));
  return { ...request, config: { ...config, raw, stdin }, validAttachments };
}

function othersOf({ config: { networkName }, validAttachments }: GcRequest): RecordedAttachment[] {
  const valid = new Set(validAttachments.map(textOf));
  return recordsOf(networkName).filter((recorded) => !valid.has(textOf(recorded)));
}

/** Of attachments to the network whose namespaces are there. */
function recordsOf(networkName: string, directory = RECORDS_DIRECTORY): RecordedAttachment[] {
  return listDirectory(directory)
    .filter((name) => name.startsWith(`${networkName}-`))
    .flatMap((name) => readRecord(`${directory}/${name}`, networkName) ?? []);
}

function textOf({ containerId, ifname }: AttachmentId): string {
  return `${containerId}/${ifname}`;
}

/** The namespace that is there of an attachment which somebody has a record of; null: nobody answers for it so. */
export function livingNamespaceOf(
  { networkName, ...attachment }: AttachmentKey,
  directory = RECORDS_DIRECTORY,
): string | null {
  const text = textOf(attachment);
  return recordsOf(networkName, directory).find((recorded) => textOf(recorded) === text)?.netns ?? null;
}

/** Null for what is no record of this network, or of a container that is gone. */
function readRecord(file: string, network: string): RecordedAttachment | null {
  const raw = readJson(file);
  if (raw === null) return null;
  const place = { path: "", reading: READING, complain: () => undefined };
  const { networkName, containerId, ifName, netns, result } = readLeniently(RECORD_FIELDS, raw, place);
  if (networkName !== network) return null;
  const paths = [netns, ...result.interfaces.map(({ sandbox }) => sandbox)];
  const living = paths.find((path) => path !== "" && isNetns(path));
  return living === undefined ? null : { containerId, ifname: ifName, file, netns: living };
}

/** Null for what is gone meanwhile, and for what is no object: files of others may be here. */
function readJson(file: string): JsonObject | null {
  const bytes = readFileIfExists(file, { maxBytes: LONGEST_RECORD_BYTES });
  if (bytes === null) return null;
  try {
    const raw = decodeJson(bytes, READING);
    return isObject(raw) ? raw : null;
  } catch (thrown) {
    if (thrown instanceof FairleadError && thrown.code === READING.fault) return null;
    throw thrown;
  }
}

function isNetns(path: string): boolean {
  try {
    const netns = openNetnsIfExists(path);
    netns?.close();
    return netns !== null;
  } catch (thrown) {
    if (thrown instanceof FairleadError && thrown.code === "invalid-netns") return false;
    throw thrown;
  }
}

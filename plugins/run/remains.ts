/**
 * Takes back what is left of attachments that are nobody's: what the agent starts, because plugins block.
 *
 * Stdin is a JSON object a line: `{"kind": "unfinished-add", "name", "records"}` or `{"kind": "ports", "key", "records"}`; on stdout comes one line
 * for each, in order: `{"outcome", "attachment", "reason"}`. All evidence is looked at here, once more, under the attachment's lock; nothing is done without all of it.
 */
import { NETWORK_CONFIGURATION } from "../../lib/cni/fields.ts";
import { decodeJson, isObject, type JsonObject } from "../../lib/cni/json.ts";
import type { AttachmentKey } from "../../lib/cni/request.ts";
import {
  ownNetns,
  readWord,
  removeWord,
  type UnfinishedAdd,
} from "../../lib/host/attachment/unfinished-adds.ts";
import { attachmentLockOffsetOfHash, openAttachmentLocks } from "../../lib/host/locks/attachments.ts";
import { HostNetlink } from "../../lib/host/netlink.ts";
import { nameText } from "../attachment-names.ts";
import { AttachmentLocks } from "../attachment-order.ts";
import { livingNamespaceOf } from "../other-managers.ts";
import { PUBLISHING_SOCKET, unpublishIfGone } from "../published-ports.ts";
import type { PluginMain } from "../resident/invocation.ts";
import { answerLines } from "./lines.ts";
import { failureOf } from "./run-plugin.ts";

const MOST_BYTES = 16 * 1024 * 1024;

interface RemainsAnswer {
  /**
   * "kept": something says that it may be somebody's; "foreign": it is no business of this network namespace; "busy": a call for it
   * is under way; "over": there is nothing any more.
   */
  readonly outcome: "taken" | "kept" | "foreign" | "busy" | "over" | "failed";
  /** NETWORK/CONTAINER/IFNAME, where it is known. */
  readonly attachment: string;
  /** For people. */
  readonly reason: string;
}

/** @param deleters plugins whose DEL takes an ADD of theirs back. Returns the exit status: everything was tried. */
export function takeRemainsFromStdin(deleters: ReadonlyMap<string, PluginMain>): number {
  answerLines(MOST_BYTES, (line) =>
    answerTo(decodeJson(line, NETWORK_CONFIGURATION) as JsonObject, deleters),
  );
  return 0;
}

function answerTo(request: JsonObject, deleters: ReadonlyMap<string, PluginMain>): RemainsAnswer {
  const records = String(request["records"]);
  try {
    return request["kind"] === "ports"
      ? takePorts(keyIn(request["key"]), records)
      : takeUnfinished(String(request["name"]), { records, deleters });
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return { outcome: "failed", attachment: String(request["name"] ?? ""), reason };
  }
}

function keyIn(value: unknown): AttachmentKey {
  const { networkName, containerId, ifname } = isObject(value as JsonObject) ? (value as JsonObject) : {};
  return { networkName: String(networkName), containerId: String(containerId), ifname: String(ifname) };
}

interface Unfinished {
  /** Directory of the runtimes' records. */
  readonly records: string;
  readonly deleters: ReadonlyMap<string, PluginMain>;
}

/** The lock is found by the file's name: what its ADD did not live to write tells no key. */
function takeUnfinished(name: string, unfinished: Unfinished): RemainsAnswer {
  const locks = openAttachmentLocks();
  try {
    if (!locks.tryLock(attachmentLockOffsetOfHash(name)))
      return { outcome: "busy", attachment: name, reason: "a call for it is under way" };
    const add = readWord(name);
    if (add === null) {
      removeWord(name);
      return { outcome: "over", attachment: name, reason: "nothing was begun" };
    }
    return takeAddBack(add, unfinished);
  } finally {
    locks.close();
  }
}

function takeAddBack(add: UnfinishedAdd, { records, deleters }: Unfinished): RemainsAnswer {
  const attachment = nameText(add.key);
  if (add.hostNetns !== ownNetns())
    return { outcome: "foreign", attachment, reason: "it is of another network namespace" };
  const kept = keptIfRecorded(add.key, records);
  if (kept !== null) return kept;
  const del = deleters.get(add.plugin);
  if (del === undefined)
    return { outcome: "kept", attachment, reason: `${add.plugin} cannot be asked to take it back` };
  const problem = problemOf(del, add);
  if (problem !== "") return { outcome: "failed", attachment, reason: problem };
  return {
    outcome: "taken",
    attachment,
    reason: "its ADD was killed: it left word, and no call for it runs",
  };
}

/** Null: nobody has a record of it whose namespace is there. @param records directory of the runtimes' records */
function keptIfRecorded(key: AttachmentKey, records: string): RemainsAnswer | null {
  const netns = livingNamespaceOf(key, records);
  if (netns === null) return null;
  const reason = `somebody has a record of it, whose namespace ${netns} is there`;
  return { outcome: "kept", attachment: nameText(key), reason };
}

/** Runs the plugin's DEL, which takes the word back, too. The namespace at the path of then may be another container's by now. */
function problemOf(del: PluginMain, { env, config }: UnfinishedAdd): string {
  const failure = failureOf(del, {
    env: { ...env, CNI_COMMAND: "DEL", CNI_NETNS: "" },
    config,
    netns: "absent",
  });
  return (failure ?? []).map((bytes) => new TextDecoder().decode(bytes)).join(" ");
}

function takePorts(key: AttachmentKey, records: string): RemainsAnswer {
  const attachment = nameText(key);
  const locks = new AttachmentLocks();
  const host = new HostNetlink(PUBLISHING_SOCKET);
  try {
    if (locks.tryHold(key) === null)
      return { outcome: "busy", attachment, reason: "a call for it is under way" };
    const kept = keptIfRecorded(key, records);
    if (kept !== null) return kept;
    const link = unpublishIfGone(key, host);
    if (link === null) return { outcome: "kept", attachment, reason: "its link may be there" };
    const reason = `its link ${link} is gone, the service has no lease of it, and no namespace of it is recorded`;
    return { outcome: "taken", attachment, reason };
  } finally {
    host.close();
    locks.close();
  }
}

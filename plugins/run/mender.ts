/**
 * Mends attachments one after the other: what the agent starts, because plugins block.
 *
 * Each line of stdin is `{plugin, env, config}`, where `env` and `config` are those of a CHECK; on stdout comes one line for each,
 * in order: `{"problem": "", "isBusy": false}`, or what is wrong and what helps. One that fails keeps none of the others from being
 * mended.
 *
 * Nothing is mended beside an ADD or a DEL: each line holds its attachment's lock, or is busy, and the link must be there then. What was
 * seen before may be a container's that has gone since.
 */
import { NETWORK_CONFIGURATION } from "../../lib/cni/fields.ts";
import { decodeJson, isObject, type JsonObject } from "../../lib/cni/json.ts";
import type { AttachmentKey } from "../../lib/cni/request.ts";
import { findLink } from "../../lib/host/links.ts";
import { HostNetlink } from "../../lib/host/netlink.ts";
import { aliasOf, hostIfnameOf } from "../attachment-names.ts";
import { AttachmentLocks } from "../attachment-order.ts";
import type { PluginMain } from "../resident/invocation.ts";
import { answerLines } from "./lines.ts";
import { failureOf } from "./run-plugin.ts";

const MOST_BYTES = 256 * 1024 * 1024;

/** @param menders by plugin. Returns the exit status: everything was tried. */
export function mendFromStdin(menders: ReadonlyMap<string, PluginMain>): number {
  answerLines(MOST_BYTES, (line) =>
    answerOf(() => mendInOrder(menders, decodeJson(line, NETWORK_CONFIGURATION) as JsonObject)),
  );
  return 0;
}

/** What became of one request. */
interface MendAnswer {
  /** Empty: it went well, or was not begun. */
  readonly problem: string;
  /** A call for the attachment is under way: nothing was done. */
  readonly isBusy: boolean;
}

function answerOf(mend: () => string | null): MendAnswer {
  try {
    const problem = mend();
    return { problem: problem ?? "", isBusy: problem === null };
  } catch (thrown) {
    return { problem: thrown instanceof Error ? thrown.message : String(thrown), isBusy: false };
  }
}

/** Null: a call for the attachment is under way. @throws SyscallError where that cannot be told */
function mendInOrder(menders: ReadonlyMap<string, PluginMain>, request: JsonObject): string | null {
  const key = keyOf(request);
  const locks = new AttachmentLocks();
  try {
    if (locks.holdSoon(key) === null) return null;
    return hasLink(key) ? mendOne(menders, request) : `its link ${hostIfnameOf(key)} is gone`;
  } finally {
    locks.close();
  }
}

function keyOf({ env, config }: JsonObject): AttachmentKey {
  const { CNI_CONTAINERID, CNI_IFNAME } = isObject(env) ? env : {};
  const { name } = isObject(config) ? config : {};
  return { networkName: String(name), containerId: String(CNI_CONTAINERID), ifname: String(CNI_IFNAME) };
}

function hasLink(key: AttachmentKey): boolean {
  const host = new HostNetlink();
  try {
    return findLink(host.route, hostIfnameOf(key))?.alias === aliasOf(key);
  } finally {
    host.close();
  }
}

function mendOne(menders: ReadonlyMap<string, PluginMain>, { plugin, env, config }: JsonObject): string {
  const mender = menders.get(String(plugin));
  if (mender === undefined || !isObject(env)) return `${plugin} cannot be asked to mend anything`;
  const texts = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]));
  // Nothing is done inside of the container, and the runtime's path to it may lead nowhere from here.
  const [answer] = failureOf(mender, { env: texts, config, netns: "other" }) ?? [];
  return answer === undefined ? "" : problemOf(answer);
}

function problemOf(stdout: Uint8Array): string {
  const answer = decodeJson(stdout, NETWORK_CONFIGURATION);
  const { msg = "it failed without a word", details = "" } = isObject(answer) ? answer : {};
  return details === "" ? String(msg) : `${msg} (${details})`;
}

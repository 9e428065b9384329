/**
 * What may be left of attachments that are nobody's: looked for in this process, cheaply, by the words of ADDs and the holders of
 * published ports.
 */
import { aliasOf } from "../../lib/host/attachment/alias.ts";
import { listAttachmentPorts } from "../../lib/host/attachment/ports.ts";
import { listWords } from "../../lib/host/attachment/unfinished-adds.ts";
import { parseHolder } from "../../lib/host/firewall/ports/holder.ts";
import { readHolderLinks } from "../../lib/host/firewall/ports/state.ts";
import { attachmentLockOffsetOfHash, openAttachmentLocks } from "../../lib/host/locks/attachments.ts";
import { HostNetlink } from "../../lib/host/netlink.ts";
import type { AttachmentKey } from "../../lib/ipam/api.ts";
import { endpointsOf, keyText } from "../attachments/evidence.ts";
import type { NodeService } from "../base/part.ts";
import { resultsFolder } from "../base/result-files.ts";

/** One thing that may be nobody's, as `plugins/run/remains.ts` takes it. */
export type Remain =
  | { readonly kind: "unfinished-add"; readonly name: string; readonly records: string }
  | { readonly kind: "ports"; readonly key: AttachmentKey; readonly records: string };

export interface FoundRemains {
  /** What nobody is at work on, and may be asked about. */
  readonly remains: readonly Remain[];
  /** Texts of these, and of ADDs that a call is under way for: theirs may be left yet. */
  readonly all: ReadonlySet<string>;
}

/** What tells one from all others. */
export function remainText(remain: Remain): string {
  return remain.kind === "ports" ? `ports ${keyText(remain.key)}` : remain.name;
}

/** Where the finder looks. */
export interface NodeEvidence {
  /** Names of the words that ADDs left. */
  words(): readonly string[];
  /** Those of these words whose ADD runs no more. */
  ended(words: readonly string[]): readonly string[];
  publishers(): Publishers;
}

interface Publishers {
  /** Whoever published with a link of its own, and that link's name then. */
  readonly holders: ReturnType<typeof readHolderLinks>;
  /** Links of attachments that are there, by name. */
  readonly links: ReadonlyMap<string, { readonly alias: string }>;
}

const THIS_NODE: NodeEvidence = { words: listWords, ended: endedAdds, publishers: readPublishers };

const HASH = /^[0-9a-f]{16}$/;

export class RemainsFinder {
  readonly #service: Pick<NodeService, "listEndpoints">;
  readonly #node: NodeEvidence;
  /** Of the runtimes' records. */
  readonly #records: string;
  /** Ports whose holders looked gone the last time: an ADD or DEL that was under way has gone on since. */
  #suspects: ReadonlySet<string> = new Set();

  constructor(service: Pick<NodeService, "listEndpoints">, cacheDir: string, node = THIS_NODE) {
    this.#service = service;
    this.#node = node;
    this.#records = resultsFolder(cacheDir);
  }

  /** @throws unavailable, or what the kernel says: then nothing is known, and nothing gone. */
  async find(): Promise<FoundRemains> {
    const words = this.#node.words().filter((name) => HASH.test(name));
    const remains = [...this.#unfinished(words), ...(await this.#ports())];
    return { remains, all: new Set([...words, ...remains.map(remainText)]) };
  }

  /** ADDs that run no more, of those that have left word. */
  #unfinished(names: readonly string[]): Remain[] {
    if (names.length === 0) return [];
    return this.#node.ended(names).map((name) => ({ kind: "unfinished-add", name, records: this.#records }));
  }

  /** Of holders that had a link of their own which is gone, and of which the service has no lease. */
  async #ports(): Promise<Remain[]> {
    const gone = new Map(withoutLink(this.#node.publishers()).map((key) => [keyText(key), key]));
    const sure = [...gone].filter(([text]) => this.#suspects.has(text)).map(([, key]) => key);
    this.#suspects = new Set(gone.keys());
    const held = await endpointsOf(this.#service, new Set(sure.map(({ containerId }) => containerId)));
    const leased = new Set(held.map(keyText));
    return sure
      .filter((key) => !leased.has(keyText(key)))
      .map((key) => ({ kind: "ports", key, records: this.#records }));
  }
}

/** Whoever has no link of that name or alias now. */
function withoutLink({ holders, links }: Publishers): AttachmentKey[] {
  const aliases = new Set([...links.values()].map(({ alias }) => alias));
  return holders.flatMap(({ holder, link }) => {
    const key = parseHolder(holder);
    return key === null || links.has(link) || aliases.has(aliasOf(key)) ? [] : [key];
  });
}

function endedAdds(words: readonly string[]): readonly string[] {
  const locks = openAttachmentLocks();
  try {
    return words.filter((name) => locks.tryLock(attachmentLockOffsetOfHash(name)));
  } finally {
    locks.close();
  }
}

function readPublishers(): Publishers {
  const netlink = new HostNetlink();
  try {
    const holders = readHolderLinks(netlink.nft);
    return { holders, links: holders.length === 0 ? new Map() : listAttachmentPorts(netlink.route) };
  } finally {
    netlink.close();
  }
}

/**
 * The agent's part that takes back what containers left on networks they were connected to by hand.
 *
 * A runtime detaches a container from the networks that it attached it to itself. Of those that `fairlead network connect`
 * added it knows nothing, so nobody says when such a container is gone. Here the cache of results is looked through, at the
 * start and every few seconds.
 *
 * Looking is cheap and happens in this process; what is found is handed to a process of its own, which looks again and runs
 * the plugins: they block, and what blocks here would hold up names.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { findLink } from "../../lib/host/links.ts";
import { HostNetlink } from "../../lib/host/netlink.ts";
import { type CachedAttachment, readCacheEntry } from "../../lib/runtime/cache.ts";
import { isContainerGone, ownStandpoint, type Witness } from "../../lib/runtime/stale.ts";
import { ownExecutable, runChild } from "../base/child-command.ts";
import type { AgentContext, AgentPart } from "../base/part.ts";
import { resultNamesIn, resultsFolder } from "../base/result-files.ts";
import { WorkQueue } from "../reconcile/work-queue.ts";

const INTERVAL_MS = 5_000;
/** One run of plugins for a handful of attachments. */
const REAP_LIMIT_MS = 120_000;
/** Given to one process at a time; the rest waits for the next round. */
const MOST_AT_ONCE = 64;

/** Detaches the attachments of these files of the cache. @throws an Error that says what could not be done. */
export type Reap = (files: readonly string[]) => Promise<void>;

export interface ReaperOptions {
  readonly reap?: Reap;
  readonly intervalMs?: number;
}

export async function startReaper(
  context: AgentContext,
  { reap = reapByProcess(context), intervalMs = INTERVAL_MS }: ReaperOptions = {},
): Promise<AgentPart> {
  const { config, logger } = context;
  const rounds: WorkQueue = new WorkQueue({
    limits: { firstMs: intervalMs, mostMs: intervalMs },
    work: async () => {
      await round(resultsFolder(config.cniCacheDir), reap, logger);
      return { inMs: intervalMs };
    },
    onFailure: ({ thrown }) =>
      logger.warn(
        { reason: (thrown as Error).message },
        "agent: containers that are gone still hold addresses",
      ),
  });
  rounds.want("round");
  return { name: "reaper", applied: async () => {}, close: () => rounds.close() };
}

async function round(folder: string, reap: Reap, logger: AgentContext["logger"]): Promise<void> {
  const gone = await findGone(folder);
  if (gone.length === 0) return;
  const handed = gone.slice(0, MOST_AT_ONCE);
  await reap(handed.map(({ file }) => file));
  for (const { containerId, networkName } of handed)
    logger.info({ container: containerId, network: networkName }, "agent: took back what a container left");
}

/** Attachments of containers that are gone. What cannot be read or told counts as there. */
export async function findGone(folder: string): Promise<CachedAttachment[]> {
  const witness = openWitness();
  try {
    const gone: CachedAttachment[] = [];
    for (const name of await resultNamesIn(folder)) {
      const entry = await goneIn(join(folder, name), witness);
      if (entry !== null) gone.push(entry);
    }
    return gone;
  } finally {
    witness.close();
  }
}

async function goneIn(file: string, witness: Witness): Promise<CachedAttachment | null> {
  try {
    const entry = readCacheEntry(await readFile(file), file);
    return entry !== null && isContainerGone(entry, witness) ? entry : null;
  } catch {
    return null;
  }
}

/** Looks for links over one socket, which is opened when the first is asked for. */
function openWitness(): Witness & { close(): void } {
  const netlink = new HostNetlink();
  return {
    standpoint: ownStandpoint(),
    hasLink: (ifname) => findLink(netlink.route, ifname) !== null,
    close: () => netlink.close(),
  };
}

/** By `fairlead reap`, which is this very executable. */
function reapByProcess({ config, logger }: AgentContext): Reap {
  const program = ownExecutable();
  if (program === null) {
    logger.warn(
      { executable: process.execPath },
      "agent: nothing is taken back: this is not the compiled executable",
    );
    return async () => {};
  }
  const places = ["--socket", config.serverSocket, "--cni-cache-dir", config.cniCacheDir];
  return (files) => runChild({ program, args: ["reap", ...places, "--", ...files], limitMs: REAP_LIMIT_MS });
}

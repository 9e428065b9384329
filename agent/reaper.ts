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
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findLink } from "../lib/host/links.ts";
import { NETLINK_ROUTE, openNetlinkSocket } from "../lib/linux/netlink-socket.ts";
import { NetlinkConnection } from "../lib/netlink/connection.ts";
import { type CachedAttachment, readCacheEntry } from "../lib/runtime/cache.ts";
import { isContainerGone, ownStandpoint, type Witness } from "../lib/runtime/stale.ts";
import { runChild } from "./child-command.ts";
import type { AgentContext, AgentPart } from "./part.ts";

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
  const stop = new AbortController();
  const ended = loop(context, { reap, intervalMs, signal: stop.signal });
  return {
    name: "reaper",
    applied: async () => {},
    close: async () => {
      stop.abort();
      await ended;
    },
  };
}

interface LoopOptions extends Required<ReaperOptions> {
  readonly signal: AbortSignal;
}

async function loop(
  { config, logger }: AgentContext,
  { reap, intervalMs, signal }: LoopOptions,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await round(join(config.cniCacheDir, "results"), reap, logger);
    } catch (thrown) {
      logger.warn(
        { reason: (thrown as Error).message },
        "agent: containers that are gone still hold addresses",
      );
    }
    await sleep(intervalMs, undefined, { signal }).catch(() => {});
  }
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
    for (const name of await namesIn(folder)) {
      const entry = await readEntry(join(folder, name));
      if (entry !== null && isGone(entry, witness)) gone.push(entry);
    }
    return gone;
  } finally {
    witness.close();
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith("."));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw thrown;
  }
}

async function readEntry(file: string): Promise<CachedAttachment | null> {
  try {
    return readCacheEntry(await readFile(file), file);
  } catch {
    return null;
  }
}

function isGone(entry: CachedAttachment, witness: Witness): boolean {
  try {
    return isContainerGone(entry, witness);
  } catch {
    return false;
  }
}

/** Looks for links over one socket, which is opened when the first is asked for. */
export function openWitness(): Witness & { close(): void } {
  let connection: NetlinkConnection | undefined;
  return {
    standpoint: ownStandpoint(),
    hasLink: (ifname) => {
      connection ??= new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
      return findLink(connection, ifname) !== null;
    },
    close: () => connection?.close(),
  };
}

/** By `fairlead reap`, which is this very executable. */
function reapByProcess({ config, logger }: AgentContext): Reap {
  const { execPath } = process;
  if (!basename(execPath).startsWith("fairlead")) {
    logger.warn(
      { executable: execPath },
      "agent: nothing is taken back: this is not the compiled executable",
    );
    return async () => {};
  }
  const places = ["--socket", config.serverSocket, "--cni-cache-dir", config.cniCacheDir];
  return (files) =>
    runChild({ program: execPath, args: ["reap", ...places, "--", ...files], limitMs: REAP_LIMIT_MS });
}

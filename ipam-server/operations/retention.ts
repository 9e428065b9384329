/** How much of the event log is kept. What is older goes, oldest first, a little at a time. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LeaseStore } from "../../lib/ipam/store.ts";
import type { Engine } from "../state/engine.ts";

/** Whatever is beyond either goes. */
export interface Keep {
  readonly days: number;
  readonly events: number;
}

export const DEFAULT_KEEP: Keep = { days: 90, events: 10_000_000 };

const DAY_MS = 86_400_000;
/** Events removed in one transaction; some milliseconds. */
const STEP_EVENTS = 500;

export interface RetentionOptions {
  readonly engine: Engine;
  readonly store: LeaseStore;
  readonly keep: Keep;
  /** Events of so many seconds stay in any case: what rests after a restart is read from them. */
  readonly restSeconds: number;
  /** Ends it between two steps. */
  readonly signal: AbortSignal;
}

/** Removes what is beyond `keep`, but never the newest event. Answers how many events went. Idempotent. */
export async function trimHistory(options: RetentionOptions): Promise<number> {
  const { engine, store, signal } = options;
  const from = store.trimmedRevision;
  const through = await lastToGo(options);
  for (let at = from; at < through && !signal.aborted; await nextTurn()) {
    at = Math.min(at + STEP_EVENTS, through);
    const revision = at;
    await engine.read(() => store.trimEvents(revision));
  }
  return store.trimmedRevision - from;
}

async function lastToGo({ engine, store, keep, restSeconds }: RetentionOptions): Promise<number> {
  const { newest, nowMs } = await engine.read((state, now) => ({ newest: state.revision, nowMs: now }));
  const fromMs = nowMs - Math.max(keep.days * DAY_MS, restSeconds * 1000);
  const [first] = await store.readEvents({ since: store.trimmedRevision, fromMs, limit: 1 });
  const tooOld = (first?.revision ?? newest) - 1;
  return Math.min(Math.max(tooOld, newest - keep.events), newest - 1);
}

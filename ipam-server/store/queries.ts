/** What every store does with an event query. */

import { addressEquals } from "../../lib/addr/address.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { EventQuery, EventRecord, LeaseStore } from "../../lib/ipam/store.ts";

/** True when `event` is asked for; `since` and `limit` aside. */
export function matchesQuery(event: EventRecord, query: EventQuery): boolean {
  const { networkName, addressSpace, address, containerId, kind, fromMs, toMs } = query;
  return (
    (networkName === undefined || event.networkName === networkName) &&
    (addressSpace === undefined || event.addressSpace === addressSpace) &&
    (address === undefined || (event.address !== null && addressEquals(event.address, address))) &&
    (containerId === undefined || event.containerId === containerId) &&
    (kind === undefined || event.kind === kind) &&
    (fromMs === undefined || event.atMs >= fromMs) &&
    (toMs === undefined || event.atMs <= toMs)
  );
}

/** Revisions between which a log can be read on: events up to `trimmed` have been removed. */
export interface LogBounds {
  readonly trimmed: number;
  readonly newest: number;
}

/**
 * A place after the newest event comes from another life of the store.
 * @throws compacted for a place at which the log cannot be read on
 */
export function checkPlace(since: number, { trimmed, newest }: LogBounds): void {
  if (since >= trimmed && since <= newest) return;
  const reason =
    since < trimmed
      ? `events up to revision ${trimmed} have been removed`
      : `the newest event has revision ${newest}: this store never had a later one`;
  throw lostPlace(since, reason, { trimmed, newest });
}

/** @throws compacted when the place is of another log than the store's */
export function checkLog(
  { logId }: Pick<LeaseStore, "logId">,
  place: { readonly since: number; readonly logId: string | undefined },
): void {
  if (place.logId === undefined || place.logId === logId) return;
  throw lostPlace(place.since, `that place is in log ${place.logId}, and this is log ${logId}`, { logId });
}

/** The answer to whoever is at a place that this log does not have. */
function lostPlace(since: number, reason: string, details: object): FairleadError {
  return new FairleadError({
    code: "compacted",
    operation: "read events",
    object: `since revision ${since}`,
    reason,
    hint: "list the present state again, and go on from its revision",
    details: { since, ...details },
  });
}

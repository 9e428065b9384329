/** What every store does with an event query. */

import { addressEquals } from "../../lib/addr/address.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { EventQuery, EventRecord } from "../../lib/ipam/store.ts";

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

/** The answer to a query for events that have been removed. */
export function trimmedError(since: number, trimmedRevision: number): FairleadError {
  return new FairleadError({
    code: "compacted",
    operation: "read events",
    object: `since revision ${since}`,
    reason: `events up to revision ${trimmedRevision} have been removed`,
    hint: "list the present state again, and go on from its revision",
    details: { since, trimmed: trimmedRevision },
  });
}

/** Batches of changes for a store, and what a store makes of them. */
import { type Address, formatAddress } from "../../../lib/addr/address.ts";
import type {
  Batch,
  Change,
  LeaseRecord,
  LeaseStore,
  NetworkRecord,
  StoreSnapshot,
} from "../../../lib/ipam/store.ts";
import { storeFailureOf } from "../../../lib/ipam/store.ts";
import { eventRecord } from "./store-records.ts";

/** One change with its event; the revision is the new record's version. */
export function batchOf(...pairs: readonly { change: Change; revision: number }[]): Batch {
  const events = pairs.map(({ change, revision }) => {
    const subject = change.after ?? change.before;
    if (subject === null) throw new Error("a change of nothing");
    return eventRecord(revision, subject);
  });
  return { changes: pairs.map(({ change }) => change), events };
}

export function putLease(
  before: LeaseRecord | null,
  after: LeaseRecord,
): { change: Change; revision: number } {
  return { change: { kind: "lease", before, after }, revision: after.version };
}

export function createNetwork(after: NetworkRecord): { change: Change; revision: number } {
  return { change: { kind: "network", before: null, after }, revision: after.version };
}

/** A snapshot in a form that can be compared, whatever the order in which a store lists things. */
export async function contentOf(store: LeaseStore) {
  const snapshot: StoreSnapshot = await store.load();
  const leases = [...snapshot.leases].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const networks = [...snapshot.networks].sort((a, b) => (a.name < b.name ? -1 : 1));
  const { revision, trimmedRevision, lastEventAtMs } = snapshot;
  return { revision, trimmedRevision, lastEventAtMs, networks, leases };
}

function keyOf({ addressSpace, address }: { addressSpace: string; address: Address }): string {
  return `${addressSpace} ${formatAddress(address)}`;
}

/** What a commit failed with; null when it did not. */
export async function failureOf(store: LeaseStore, batch: Batch): Promise<string | null> {
  try {
    await store.commit(batch);
    return null;
  } catch (error) {
    return storeFailureOf(error) ?? `not a store failure: ${error}`;
  }
}

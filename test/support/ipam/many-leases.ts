/** A store with very many leases, written by its own API: as a service would have left it, in seconds. */
import { openSqliteStore } from "../../../ipam-server/store/sqlite/store.ts";
import { formatAddress } from "../../../lib/addr/address.ts";
import type { Change, EventRecord, LeaseRecord, NetworkRecord } from "../../../lib/ipam/store.ts";
import { poolsOfSubnets, subnetOfSpec } from "../../../lib/ipam/subnet-spec.ts";
import { eventRecord, leaseRecord, networkRecord } from "./store-records.ts";

const PER_COMMIT = 2_000;
/** Of 10.128.0.0. */
const BASE = 0x0a80_0000n;

export const MANY_NETWORK = "web";

export interface ManyLeases {
  readonly path: string;
  readonly leases: number;
  /** Stays that the first address has had before the present one. */
  readonly stays: number;
}

/** Makes the database at `path`. */
export async function writeManyLeases({ path, leases, stays }: ManyLeases): Promise<void> {
  const store = openSqliteStore({ path });
  const network: NetworkRecord = {
    ...networkRecord(MANY_NETWORK, 1),
    maxAttachments: null,
    coolingSeconds: 0,
    pools: poolsOfSubnets([subnetOfSpec({ subnet: "10.128.0.0/14" })]),
  };
  const change: Change = { kind: "network", before: null, after: network };
  await store.commit({ changes: [change], events: [eventRecord(1, network)] });
  const pending: Step[] = [];
  const commit = (): void | Promise<void> => {
    const steps = pending.splice(0);
    return store.commit({
      changes: steps.map((step) => step.change),
      events: steps.map(({ event }) => event),
    });
  };
  for (const step of stepsOf(network, { leases, stays })) {
    if (pending.push(step) >= PER_COMMIT) await commit();
  }
  await commit();
  await store.close();
}

/** The stays of the first address, then every lease. */
function* stepsOf(network: NetworkRecord, { leases, stays }: Omit<ManyLeases, "path">): Generator<Step> {
  let revision = 1;
  let held: LeaseRecord | null = null;
  for (let at = 0; at < stays; at += 1) {
    const bound: LeaseRecord = { ...leaseAt(network, 0, ++revision), containerId: `before-${at}` };
    yield stepOf(held, bound);
    held = { ...bound, state: "cooling", untilMs: 1, version: ++revision };
    yield { ...stepOf(bound, held), event: releaseEvent(revision, held) };
  }
  yield stepOf(held, leaseAt(network, 0, ++revision));
  for (let at = 1; at < leases; at += 1) yield stepOf(null, leaseAt(network, at, ++revision));
}

interface Step {
  readonly change: Change;
  readonly event: EventRecord;
}

function stepOf(before: LeaseRecord | null, after: LeaseRecord): Step {
  return { change: { kind: "lease", before, after }, event: eventRecord(after.version, after) };
}

function releaseEvent(revision: number, lease: LeaseRecord): EventRecord {
  return { ...eventRecord(revision, lease), kind: "lease-released" };
}

function leaseAt(network: NetworkRecord, at: number, version: number): LeaseRecord {
  const address = { family: 4 as const, value: BASE + BigInt(at) + 2n };
  const containerId = at.toString(16).padStart(64, "0");
  const names = [`container-${at}`];
  return leaseRecord(network, formatAddress(address), { version, containerId, names, stickyName: "" });
}

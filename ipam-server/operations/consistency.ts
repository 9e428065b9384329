/**
 * The online cross-check: store against memory, and both against the rules, while the service goes on.
 *
 * Records are compared page by page, and between pages other requests are served. What changed since a page
 * was read has a higher version than the revision at that moment, and is left out: it is memory's to know. What must hold in
 * memory is looked at in a snapshot of one revision.
 */

import { addressEquals, formatAddress } from "../../lib/addr/address.ts";
import type { ConsistencyReport, Finding } from "../../lib/ipam/api.ts";
import type { EventRecord, LeaseRecord, LeaseStore, NetworkRecord } from "../../lib/ipam/store.ts";
import { joinPieces } from "../../lib/rpc/pieces.ts";
import type { Engine } from "../state/engine.ts";
import type { NetworkState } from "../state/network-state.ts";
import { Breather, inSlices } from "../state/slices.ts";
import { Snapshot } from "../state/snapshot.ts";
import type { State } from "../state/state.ts";
import { beginRules } from "./consistency-rules.ts";

/** Leases compared without a pause. */
const PAGE = 16;
const STORE_REMEDY = "restart the server, which reads the store afresh; if it stays, restore a backup";

export interface ConsistencyOptions {
  readonly engine: Engine;
  readonly store: LeaseStore;
}

/** Addresses that the store holds, by network ID. */
type Seen = Map<string, Set<bigint>>;

export async function checkConsistency(options: ConsistencyOptions): Promise<ConsistencyReport> {
  const { engine } = options;
  const { isThere, rules, snapshot } = await engine.read((state, nowMs) => ({
    isThere: (network: NetworkState) => state.networkById(network.record.id) === network,
    rules: beginRules(state, nowMs),
    snapshot: new Snapshot(state, nowMs),
  }));
  try {
    const findings = await checkNetworks(options);
    const seen: Seen = new Map();
    findings.push(...(await checkLeases(options, seen)));
    findings.push(...(await joinPieces(inSlices(findUnstored(snapshot, { seen, isThere }), engine))));
    findings.push(...(await joinPieces(inSlices(rules.walk(snapshot), engine))));
    return await engine.read((state) => ({ ...sizeOf(state), findings }));
  } finally {
    snapshot.close();
  }
}

function sizeOf(state: State): Omit<ConsistencyReport, "findings"> {
  const leases = [...state.networks()].reduce((count, network) => count + network.slotCount, 0);
  return { revision: state.revision, networks: state.networkCount, leases };
}

function differs(object: string, problem: string): Finding {
  return { severity: "error", object, problem, remedy: STORE_REMEDY };
}

/** Whether two records, or parts of them, hold the same. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  const at = (value: object, key: string): unknown => (value as Readonly<Record<string, unknown>>)[key];
  return (
    keys.length === others.length &&
    keys.every((key) => Object.hasOwn(b, key) && isSame(at(a, key), at(b, key)))
  );
}

/** What the comparison of one record came to; `asOf` is the revision at which the store was read. */
function compare(
  object: string,
  {
    stored,
    memory,
  }: { stored: LeaseRecord | NetworkRecord; memory: LeaseRecord | NetworkRecord | undefined },
  { asOf, now }: { asOf: number; now: number },
): Finding[] {
  if (memory === undefined)
    return now > asOf ? [] : [differs(object, "it is in the store, but not in memory")];
  if (memory.version > asOf || isSame(memory, stored)) return [];
  return [differs(object, "memory and store differ")];
}

async function checkNetworks({ engine, store }: ConsistencyOptions): Promise<Finding[]> {
  const { asOf, pending } = await engine.read((state) => ({
    asOf: state.revision,
    pending: store.readNetworks(),
  }));
  const stored = await pending;
  const ids = new Set(stored.map(({ id }) => id));
  return engine.read((state) => {
    const compared = stored.flatMap((record) => {
      const memory = state.networkById(record.id)?.record;
      return compare(`network ${record.name}`, { stored: record, memory }, { asOf, now: state.revision });
    });
    const unstored = [...state.networks()].filter(
      ({ record }) => record.version <= asOf && !ids.has(record.id),
    );
    const missing = unstored.map(({ networkName }) =>
      differs(`network ${networkName}`, "it is in memory, but not in the store"),
    );
    return [...compared, ...missing];
  });
}

async function checkLeases(options: ConsistencyOptions, seen: Seen): Promise<Finding[]> {
  const { engine, store } = options;
  const findings: Finding[] = [];
  const breather = new Breather(engine);
  for (let last: LeaseRecord | undefined; ; ) {
    const after = last === undefined ? {} : { after: last };
    const { asOf, pending } = await engine.read((state) => ({
      asOf: state.revision,
      pending: store.readLeases({ ...after, limit: PAGE }),
    }));
    const page = await pending;
    findings.push(...(await engine.read((state) => comparePage(state, page, { asOf, seen }))));
    findings.push(...(await compareEvents(options, page)));
    last = page.at(-1);
    if (last === undefined || page.length < PAGE) return findings;
    await breather.breathe();
  }
}

function comparePage(
  state: State,
  page: readonly LeaseRecord[],
  { asOf, seen }: { asOf: number; seen: Seen },
): Finding[] {
  return page.flatMap((stored) => {
    const { networkId, address } = stored;
    const values = seen.get(networkId) ?? new Set();
    seen.set(networkId, values.add(address.value));
    const memory = state.networkById(networkId)?.slotAt(address)?.record;
    return compare(`lease ${formatAddress(address)}`, { stored, memory }, { asOf, now: state.revision });
  });
}

/** Those of a page's leases, by revision, and which revisions have been removed by now. */
interface LoggedEvents {
  readonly byRevision: ReadonlyMap<number, EventRecord>;
  readonly trimmed: number;
}

/** The event that made each lease what it is, and the one that granted it, must be in the log and say so. */
async function compareEvents(
  { store }: ConsistencyOptions,
  page: readonly LeaseRecord[],
): Promise<Finding[]> {
  const revisions = new Set(page.flatMap(({ version, sequence }) => [version, sequence]));
  const events = await store.eventsAt([...revisions]);
  const byRevision = new Map(events.map((event) => [event.revision, event]));
  const logged = { byRevision, trimmed: store.trimmedRevision };
  return page.flatMap((lease) => compareEventsOf(lease, logged));
}

function compareEventsOf(lease: LeaseRecord, { byRevision, trimmed }: LoggedEvents): Finding[] {
  const { version, sequence, state, containerId } = lease;
  const object = `lease ${formatAddress(lease.address)}`;
  const findings: Finding[] = [];
  if (version > trimmed && !isAbout(byRevision.get(version), lease)) {
    findings.push(
      differs(object, `event ${version}, which should have made it, is missing or of another address`),
    );
  }
  if (state !== "bound" || sequence <= trimmed) return findings;
  const granted = byRevision.get(sequence);
  const isGrant =
    isAbout(granted, lease) && granted?.kind === "lease-bound" && granted.containerId === containerId;
  if (!isGrant)
    findings.push(differs(object, `event ${sequence} does not grant it to its holder ${containerId}`));
  return findings;
}

function isAbout(event: EventRecord | undefined, { address, addressSpace }: LeaseRecord): boolean {
  if (event === undefined || event.address === null) return false;
  return event.addressSpace === addressSpace && addressEquals(event.address, address);
}

interface Known {
  readonly seen: Seen;
  /** False for a network that was removed meanwhile: its leases went with it. */
  readonly isThere: (network: NetworkState) => boolean;
}

/** Records that were there when the check began, are there still, and that the store does not have. */
function* findUnstored(snapshot: Snapshot, { seen, isThere }: Known): Generator<Finding | undefined> {
  for (const each of snapshot.networks) {
    const stored = seen.get(each.network.record.id);
    for (const record of each.records()) {
      const { address } = record;
      const isUnchanged = isThere(each.network) && each.network.slotAt(address)?.record === record;
      yield isUnchanged && !stored?.has(address.value)
        ? differs(`lease ${formatAddress(address)}`, "it is in memory, but not in the store")
        : undefined;
    }
  }
}

/**
 * The online cross-check: store against memory, and both against the rules, while the service goes on.
 *
 * Records are compared page by page, and between pages other requests are served. What changed since a page
 * was read has a higher version than the revision at that moment, and is left out: it is memory's to know.
 */

import { addressEquals, formatAddress } from "../lib/addr/address.ts";
import type { ConsistencyReport, Finding } from "../lib/ipam/api.ts";
import type { EventRecord, LeaseRecord, LeaseStore, NetworkRecord } from "../lib/ipam/store.ts";
import { checkRules } from "./consistency-rules.ts";
import type { Engine } from "./engine.ts";
import type { State } from "./state.ts";

/** Leases compared without a pause; some milliseconds of work. */
const PAGE = 100;
const STORE_REMEDY = "restart the server, which reads the store afresh; if it stays, restore a backup";

export interface ConsistencyOptions {
  readonly engine: Engine;
  readonly store: LeaseStore;
  /** Events up to this revision have been removed. */
  readonly trimmedRevision: number;
}

/** Addresses that the store holds, by network ID. */
type Seen = Map<string, Set<bigint>>;

export async function checkConsistency(options: ConsistencyOptions): Promise<ConsistencyReport> {
  const { engine } = options;
  const start = await engine.read((state) => state.revision);
  const findings = await checkNetworks(options);
  const seen: Seen = new Map();
  findings.push(...(await checkLeases(options, seen)));
  findings.push(...(await engine.read((state) => findUnstored(state, seen, start))));
  findings.push(...(await engine.read(checkRules)));
  return engine.read((state) => ({
    revision: state.revision,
    networks: state.networkCount,
    leases: [...state.networks()].reduce((count, network) => count + network.slotCount, 0),
    findings,
  }));
}

function differs(object: string, problem: string): Finding {
  return { severity: "error", object, problem, remedy: STORE_REMEDY };
}

/** Text of a record, to tell whether two are equal; the order of members does not matter. */
function canonical(record: LeaseRecord | NetworkRecord): string {
  return JSON.stringify(record, (_, value: unknown) => {
    if (typeof value === "bigint") return value.toString();
    if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
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
  if (memory.version > asOf || canonical(memory) === canonical(stored)) return [];
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
  for (let last: LeaseRecord | undefined; ; ) {
    const after = last === undefined ? {} : { after: last };
    const { asOf, pending } = await engine.read((state) => ({
      asOf: state.revision,
      pending: store.readLeases({ ...after, limit: PAGE }),
    }));
    const page = await pending;
    findings.push(...(await engine.read((state) => comparePage(state, page, { asOf, seen }))));
    for (const lease of page) findings.push(...(await compareEvents(options, lease)));
    last = page.at(-1);
    if (last === undefined || page.length < PAGE) return findings;
    await new Promise((resolve) => setImmediate(resolve));
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

/** The event that made a lease what it is, and the one that granted it, must be in the log and say so. */
async function compareEvents(options: ConsistencyOptions, lease: LeaseRecord): Promise<Finding[]> {
  const { version, sequence, state, containerId } = lease;
  const object = `lease ${formatAddress(lease.address)}`;
  const changed = await eventAt(options, version);
  const findings: Finding[] = [];
  if (changed !== "trimmed" && !isAbout(changed, lease)) {
    findings.push(
      differs(object, `event ${version}, which should have made it, is missing or of another address`),
    );
  }
  if (state !== "bound") return findings;
  const granted = sequence === version ? changed : await eventAt(options, sequence);
  if (granted === "trimmed") return findings;
  const isGrant =
    isAbout(granted, lease) && granted?.kind === "lease-bound" && granted.containerId === containerId;
  if (!isGrant)
    findings.push(differs(object, `event ${sequence} does not grant it to its holder ${containerId}`));
  return findings;
}

function isAbout(event: EventRecord | null, { address, addressSpace }: LeaseRecord): boolean {
  if (event === null || event.address === null) return false;
  return event.addressSpace === addressSpace && addressEquals(event.address, address);
}

async function eventAt(
  { store, trimmedRevision }: ConsistencyOptions,
  revision: number,
): Promise<EventRecord | null | "trimmed"> {
  if (revision <= trimmedRevision) return "trimmed";
  const [event] = await store.readEvents({ since: revision - 1, limit: 1 });
  return event?.revision === revision ? event : null;
}

/** Records that were there when the check began and that the store does not have. */
function findUnstored(state: State, seen: Seen, start: number): Finding[] {
  const findings: Finding[] = [];
  for (const network of state.networks()) {
    const stored = seen.get(network.record.id);
    for (const { record } of network.slots()) {
      if (record.version > start || stored?.has(record.address.value)) continue;
      findings.push(
        differs(`lease ${formatAddress(record.address)}`, "it is in memory, but not in the store"),
      );
    }
  }
  return findings;
}

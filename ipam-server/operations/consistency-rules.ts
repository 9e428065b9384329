/** What must hold among the records in memory, whatever happened before. */

import { formatAddress } from "../../lib/addr/address.ts";
import { comparePrefixes, formatPrefix, prefixesOverlap } from "../../lib/addr/prefix.ts";
import type { Finding, LeaseState } from "../../lib/ipam/api.ts";
import type { Pool } from "../../lib/ipam/pool.ts";
import type { LeaseRecord, NetworkRecord } from "../../lib/ipam/store.ts";
import { attachmentKey, type NetworkState } from "../state/network-state.ts";
import type { NetworkSnapshot, Snapshot } from "../state/snapshot.ts";
import type { State } from "../state/state.ts";
import { stateAt } from "../state/views.ts";
import { clashBetween } from "./clash.ts";

const REMEDY = "restart the server, and report this fault";

/** What is counted is noted when the walk begins; the records are walked in a snapshot of the same moment. */
export interface Rules {
  /** Every finding; undefined where there is none, which is a place to pause. */
  walk(snapshot: Snapshot): Generator<Finding | undefined>;
}

/** Notes what networks are and what is counted in `state`, at the moment that the snapshot to be walked is begun. */
export function beginRules(state: State, nowMs: number): Rules {
  const atOnce = [...checkIndex(state), ...checkSubnets(state)];
  const noted = new Map([...state.networks()].map((network) => [network, noteOf(network, nowMs)]));
  return {
    *walk({ networks }) {
      for (const each of networks) {
        const note = noted.get(each.network);
        if (note !== undefined) yield* new NetworkWalk(each, nowMs).run(note);
      }
      yield* atOnce;
    },
  };
}

/** The index by container holds as many as the networks hold. */
function checkIndex(state: State): Finding[] {
  const held = [...state.networks()].reduce((count, { attachmentCount }) => count + attachmentCount, 0);
  const indexed = state.attachments.size;
  if (indexed === held) return [];
  return [error("index by container", `it holds ${indexed} attachments, the networks hold ${held}`)];
}

function error(object: string, problem: string): Finding {
  return { severity: "error", object, problem, remedy: REMEDY };
}

/** What a pool counted. */
interface Counters {
  readonly pool: Pool;
  readonly counts: Readonly<Record<LeaseState, number>>;
}

/** A network as it was when the walk began. */
interface Noted {
  readonly definition: NetworkRecord;
  readonly counters: readonly Counters[];
}

function noteOf(network: NetworkState, nowMs: number): Noted {
  const counters = network.pools.map((pool) => {
    pool.settle(nowMs);
    return { pool, counts: pool.counts };
  });
  return { definition: network.record, counters };
}

/** One pass over the records of one network. */
class NetworkWalk {
  readonly #snapshot: NetworkSnapshot;
  readonly #network: NetworkState;
  readonly #nowMs: number;
  /** Bound records by attachment and pool. */
  readonly #owners = new Map<string, LeaseRecord>();

  constructor(snapshot: NetworkSnapshot, nowMs: number) {
    this.#snapshot = snapshot;
    this.#network = snapshot.network;
    this.#nowMs = nowMs;
  }

  *run({ definition, counters }: Noted): Generator<Finding | undefined> {
    const records = counters.map((each) => ({
      ...each,
      found: { bound: 0, cooling: 0, quarantined: 0, reserved: 0 },
    }));
    for (const record of this.#snapshot.records()) {
      const at = records.find(({ pool }) => pool.contains(record.address));
      const state = stateAt(record, this.#nowMs);
      if (at !== undefined && state !== null) at.found[state] += 1;
      // Subnets and ranges that were changed meanwhile are not those of the records of before.
      yield this.#network.record === definition ? this.#checkPlace(record, at === undefined) : undefined;
      if (record.state === "bound") yield* this.#checkOwner(record);
    }
    yield* this.#checkIndexed();
    for (const { pool, counts, found } of records) yield* this.#checkCounts(pool, counts, found);
  }

  /** Each record lies in a subnet of its network; bound ones in its ranges, or the ranges were changed since. */
  #checkPlace({ address, state }: LeaseRecord, isStray: boolean): Finding | undefined {
    const { networkName } = this.#network;
    const object = `lease ${formatAddress(address)}`;
    if (this.#network.subnetOf(address) === null)
      return error(object, `no subnet of network ${networkName} holds it`);
    if (!isStray || state !== "bound" || this.#network.poolForRequest(address) !== null) return undefined;
    return {
      severity: "warning",
      object,
      problem: `it is outside the ranges of network ${networkName}`,
      remedy: "nothing to do: it stays valid until its container is removed, and is not handed out again",
    };
  }

  /** One attachment has one address per pool, and the index of attachments says what the records say. */
  *#checkOwner(record: LeaseRecord): Generator<Finding> {
    const { containerId, ifname, pool } = record;
    const attachment = attachmentKey(containerId, ifname);
    const other = this.#owners.get(`${attachment}/${pool}`);
    this.#owners.set(`${attachment}/${pool}`, record);
    if (other !== undefined) {
      const both = `${formatAddress(other.address)} and ${formatAddress(record.address)}`;
      yield error(`attachment ${attachment}`, `it holds ${both} of pool ${pool}`);
    }
    if (!this.#snapshot.attachment(containerId, ifname).includes(record))
      yield error(`attachment ${attachment}`, "the index does not have it");
  }

  *#checkIndexed(): Generator<Finding | undefined> {
    const indexed = yield* this.#snapshot.countIndexed();
    if (indexed === this.#owners.size) return;
    const problem = `${indexed} leases are indexed, ${this.#owners.size} are bound`;
    yield error(`network ${this.#network.networkName}`, problem);
  }

  *#checkCounts(pool: Pool, counts: Counters["counts"], found: Counters["counts"]): Generator<Finding> {
    for (const state of ["bound", "cooling", "quarantined", "reserved"] as const) {
      if (counts[state] === found[state]) continue;
      const problem = `pool ${pool.index} counts ${counts[state]} ${state}, its records are ${found[state]}`;
      yield error(`network ${this.#network.networkName}`, problem);
    }
  }
}

/** No two networks of one address space are in each other's way, and no address is known to two of them. */
function checkSubnets(state: State): Finding[] {
  const spaces = Map.groupBy(state.networks(), ({ record }) => record.addressSpace);
  const pairs = [...spaces.values()].flatMap(touchingPairs);
  return pairs.flatMap(([network, other]) => [
    ...checkClash(network, other),
    ...checkKnownOnce(network, other),
  ]);
}

type Pair = readonly [NetworkState, NetworkState];

/** Networks with subnets that overlap, each pair once. Sorted, all that touches a subnet follows it at once. */
function touchingPairs(networks: readonly NetworkState[]): Pair[] {
  const all = networks.flatMap((network) =>
    network.record.pools.flatMap((pool) => pool.subnets.map(({ subnet }) => ({ subnet, network }))),
  );
  all.sort((a, b) => comparePrefixes(a.subnet, b.subnet));
  const pairs = new Map<string, Pair>();
  for (const [at, { subnet, network }] of all.entries()) {
    for (let next = at + 1; next < all.length; next++) {
      const other = all[next];
      if (other === undefined || !prefixesOverlap(subnet, other.subnet)) break;
      const key = [network.networkName, other.network.networkName].sort().join("/");
      if (other.network !== network && !pairs.has(key)) pairs.set(key, [network, other.network]);
    }
  }
  return [...pairs.values()];
}

function checkClash(network: NetworkState, other: NetworkState): Finding[] {
  const clash = clashBetween(other.record, network.record);
  if (clash === null) return [];
  const problem = `networks ${network.networkName} and ${other.networkName} share it: ${clash.reason}`;
  return [error(`subnet ${formatPrefix(clash.own.subnet)}`, problem)];
}

/** What the store's key guards, too. */
function checkKnownOnce(network: NetworkState, other: NetworkState): Finding[] {
  return [...network.slots()]
    .filter(({ record }) => other.slotAt(record.address) !== undefined)
    .map(({ record }) =>
      error(
        `lease ${formatAddress(record.address)}`,
        `networks ${network.networkName} and ${other.networkName} both know of it`,
      ),
    );
}

/** What must hold among the records in memory, whatever happened before. */

import { formatAddress } from "../lib/addr/address.ts";
import { comparePrefixes, formatPrefix, prefixesOverlap } from "../lib/addr/prefix.ts";
import type { Finding } from "../lib/ipam/api.ts";
import type { Pool } from "../lib/ipam/pool.ts";
import type { LeaseRecord } from "../lib/ipam/store.ts";
import { attachmentKey, type NetworkState } from "./network-state.ts";
import type { State } from "./state.ts";
import { stateAt } from "./views.ts";

const REMEDY = "restart the server, and report this fault";

/** Every finding of the cross-walk over memory. One pass over all records. */
export function checkRules(state: State, nowMs: number): Finding[] {
  const perNetwork = [...state.networks()].flatMap((network) => [
    ...checkPlaces(network),
    ...checkOwners(network),
    ...checkCounts(network, nowMs),
  ]);
  return [...perNetwork, ...checkIndex(state), ...checkSubnets(state)];
}

/** The index by container holds what the networks hold, and nothing of networks that are gone. */
function checkIndex(state: State): Finding[] {
  const held = [...state.networks()].reduce((count, { attachmentCount }) => count + attachmentCount, 0);
  const indexed = state.attachments.size;
  if (indexed === held) return [];
  return [error("index by container", `it holds ${indexed} attachments, the networks hold ${held}`)];
}

function error(object: string, problem: string): Finding {
  return { severity: "error", object, problem, remedy: REMEDY };
}

/** Each record lies in a subnet of its network; bound ones in its ranges, or the ranges were changed since. */
function checkPlaces(network: NetworkState): Finding[] {
  const findings: Finding[] = [];
  for (const { record, pool } of network.slots()) {
    const object = `lease ${formatAddress(record.address)}`;
    if (network.subnetOf(record.address) === null) {
      findings.push(error(object, `no subnet of network ${network.networkName} holds it`));
    } else if (pool === null && record.state === "bound" && network.poolForRequest(record.address) === null) {
      findings.push({
        severity: "warning",
        object,
        problem: `it is outside the ranges of network ${network.networkName}`,
        remedy: "nothing to do: it stays valid until its container is removed, and is not handed out again",
      });
    }
  }
  return findings;
}

/** One attachment has one address per pool, and the index of attachments says what the records say. */
function checkOwners(network: NetworkState): Finding[] {
  const owners = new Map<string, LeaseRecord>();
  const findings: Finding[] = [];
  for (const { record } of network.slots()) {
    if (record.state !== "bound") continue;
    const attachment = attachmentKey(record.containerId, record.ifname);
    const owner = `${attachment}/${record.pool}`;
    const other = owners.get(owner);
    owners.set(owner, record);
    if (other !== undefined) {
      const both = `${formatAddress(other.address)} and ${formatAddress(record.address)}`;
      findings.push(error(`attachment ${attachment}`, `it holds ${both} of pool ${record.pool}`));
    }
    const indexed = network.attachment(record.containerId, record.ifname);
    if (!indexed.includes(record))
      findings.push(error(`attachment ${attachment}`, "the index does not have it"));
  }
  const indexed = [...network.attachments()].reduce((count, { leases }) => count + leases.length, 0);
  if (indexed === owners.size) return findings;
  const problem = `${indexed} leases are indexed, ${owners.size} are bound`;
  return [...findings, error(`network ${network.networkName}`, problem)];
}

/** The counters of each pool against a count of its records. */
function checkCounts(network: NetworkState, nowMs: number): Finding[] {
  return network.pools.flatMap((pool) => {
    pool.settle(nowMs);
    const usage = pool.usage();
    const counted = countStates(network, pool, nowMs);
    const wrong = (["bound", "cooling", "quarantined"] as const).filter(
      (state) => usage[state] !== counted[state],
    );
    return wrong.map((state) =>
      error(
        `network ${network.networkName}`,
        `pool ${pool.index} counts ${usage[state]} ${state}, its records are ${counted[state]}`,
      ),
    );
  });
}

function countStates(network: NetworkState, pool: Pool, nowMs: number) {
  const counted = { bound: 0, cooling: 0, quarantined: 0, reserved: 0 };
  for (const slot of network.slots()) {
    const state = slot.pool === pool ? stateAt(slot.record, nowMs) : null;
    if (state !== null) counted[state] += 1;
  }
  return counted;
}

/** No two networks of one address space share an address. */
function checkSubnets(state: State): Finding[] {
  const all = [...state.networks()].flatMap(({ networkName, record }) =>
    record.pools.flatMap((pool) =>
      pool.subnets.map(({ subnet }) => ({ subnet, networkName, addressSpace: record.addressSpace })),
    ),
  );
  all.sort((a, b) => comparePrefixes(a.subnet, b.subnet));
  const findings: Finding[] = [];
  const open = new Map<string, (typeof all)[number]>();
  for (const each of all) {
    const before = open.get(each.addressSpace);
    if (before !== undefined && prefixesOverlap(before.subnet, each.subnet)) {
      if (before.networkName !== each.networkName) {
        const problem = `networks ${before.networkName} and ${each.networkName} share it`;
        findings.push(error(`subnet ${formatPrefix(each.subnet)}`, problem));
      }
    } else open.set(each.addressSpace, each);
  }
  return findings;
}

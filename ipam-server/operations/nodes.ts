/** Nodes as far as leases tell of them. */
import type { NodeUsage } from "../../lib/ipam/api.ts";
import type { LeaseRecord } from "../../lib/ipam/store.ts";
import { formatInstant } from "../../lib/ipam/validate.ts";
import type { NetworkSnapshot, Snapshot } from "../state/snapshot.ts";

interface Tally {
  readonly networks: Set<NetworkSnapshot>;
  attachments: number;
  addresses: number;
  newest: LeaseRecord;
}

/** The nodes of a snapshot by name, after a step that finds nothing for each lease. */
export function* nodesIn(snapshot: Snapshot): Generator<NodeUsage | undefined> {
  const tallies = new Map<string, Tally>();
  for (const network of snapshot.networks) {
    for (const record of network.records()) {
      if (record.state === "bound") count(tallies, network, record);
      yield undefined;
    }
  }
  for (const [name, tally] of [...tallies].sort(([a], [b]) => (a < b ? -1 : 1))) yield viewNode(name, tally);
}

function count(tallies: Map<string, Tally>, network: NetworkSnapshot, record: LeaseRecord): void {
  const tally = tallies.get(record.node) ?? {
    networks: new Set(),
    attachments: 0,
    addresses: 0,
    newest: record,
  };
  tallies.set(record.node, tally);
  tally.networks.add(network);
  tally.addresses += 1;
  // Each attachment once: where its first address has its turn.
  if (network.attachment(record.containerId, record.ifname)[0] === record) tally.attachments += 1;
  if (acquiredAt(record) > acquiredAt(tally.newest)) tally.newest = record;
}

function viewNode(name: string, { networks, attachments, addresses, newest }: Tally): NodeUsage {
  return {
    name,
    networks: networks.size,
    attachments,
    addresses,
    ...(newest.bootId !== "" && { bootId: newest.bootId }),
    lastAcquiredAt: formatInstant(acquiredAt(newest)),
  };
}

function acquiredAt({ acquiredAtMs, sinceMs }: LeaseRecord): number {
  return acquiredAtMs ?? sinceMs;
}

/** Attachments as Docker's network model sees them. */

import { createHash } from "node:crypto";
import { compareAddresses } from "../../lib/addr/address.ts";
import type { Endpoint, EndpointFilter } from "../../lib/ipam/api.ts";
import type { LeaseRecord } from "../../lib/ipam/store.ts";
import { formatInstant } from "../../lib/ipam/validate.ts";
import type { NetworkState } from "../state/network-state.ts";
import type { Snapshot } from "../state/snapshot.ts";
import type { State } from "../state/state.ts";
import { viewLeasedAddress } from "../state/views.ts";

/** What one attachment holds; its leases are never none. */
interface Held {
  readonly owner: NetworkState;
  readonly containerId: string;
  readonly ifname: string;
  /** In the order of their pools. */
  readonly leases: readonly LeaseRecord[];
}

/** Attachments of one container that the filter lets through, by network name and first address. */
export function findEndpoints(state: State, containerId: string, filter: EndpointFilter): Endpoint[] {
  return [...state.attachments.of(containerId)]
    .filter((attachment) => matches(attachment, filter))
    .sort(byPlace)
    .map(viewEndpoint);
}

/** Every attachment of a snapshot that the filter lets through, in the same order; undefined for what is none. */
export function* endpointsOf(snapshot: Snapshot, filter: EndpointFilter): Generator<Endpoint | undefined> {
  for (const each of snapshot.networks) {
    for (const record of each.records()) {
      const { containerId, ifname } = record;
      const leases = record.state === "bound" ? each.attachment(containerId, ifname) : [];
      // Each attachment once: where its first address has its turn.
      const attachment = { owner: each.network, containerId, ifname, leases };
      yield leases[0] === record && matches(attachment, filter) ? viewEndpoint(attachment) : undefined;
    }
  }
}

function matches({ owner, ifname, leases: [lease] }: Held, filter: EndpointFilter): boolean {
  return (
    lease !== undefined &&
    (filter.networkName === undefined || filter.networkName === owner.networkName) &&
    (filter.ifname === undefined || filter.ifname === ifname) &&
    (filter.node === undefined || filter.node === lease.node) &&
    (filter.name === undefined || lease.names.includes(filter.name))
  );
}

export function viewEndpoint({ owner, containerId, ifname, leases }: Held): Endpoint {
  const [lease] = leases;
  if (lease === undefined) throw new Error("an attachment without a lease");
  const { id, name: networkName } = owner.record;
  const { node, mac, names, acquiredAtMs } = lease;
  return {
    id: endpointId({ networkId: id, containerId, ifname }),
    networkId: id,
    networkName,
    containerId,
    ifname,
    node,
    mac,
    name: names[0] ?? "",
    names,
    addresses: leases.map((held) => {
      const { address, gateway } = viewLeasedAddress(owner, held);
      return { address, gateway };
    }),
    acquiredAt: formatInstant(acquiredAtMs ?? lease.sinceMs),
  };
}

/** The JSON array keeps the parts apart. */
function endpointId(key: { networkId: string; containerId: string; ifname: string }): string {
  const text = JSON.stringify([key.networkId, key.containerId, key.ifname]);
  return createHash("sha256").update(text).digest("hex");
}

function byPlace({ owner: a, leases: [first] }: Held, { owner: b, leases: [second] }: Held): number {
  if (a !== b) return a.networkName < b.networkName ? -1 : 1;
  return first === undefined || second === undefined ? 0 : compareAddresses(first.address, second.address);
}

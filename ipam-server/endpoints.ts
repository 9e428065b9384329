/** Attachments as Docker's network model sees them. */

import { createHash } from "node:crypto";
import type { Endpoint, EndpointFilter } from "../lib/ipam/api.ts";
import { formatInstant } from "../lib/ipam/validate.ts";
import type { Attachment } from "./attachment-index.ts";
import type { NetworkState } from "./network-state.ts";
import type { State } from "./state.ts";
import { viewLeasedAddress } from "./views.ts";

/** Every attachment that the filter lets through, by network name, name, container ID and ifname. */
export function listEndpoints(state: State, filter: EndpointFilter): Endpoint[] {
  return [...candidates(state, filter)]
    .filter((attachment) => matches(attachment, filter))
    .map(viewEndpoint)
    .sort(byPlace);
}

/** No more attachments than the filter makes necessary to look at. */
function* candidates(
  state: State,
  { networkName, containerId }: EndpointFilter,
): Generator<Attachment<NetworkState>> {
  if (containerId !== undefined) yield* state.attachments.of(containerId);
  else if (networkName !== undefined) yield* state.network(networkName)?.attachments() ?? [];
  else for (const network of state.networks()) yield* network.attachments();
}

function matches({ owner, ifname, leases: [lease] }: Attachment<NetworkState>, filter: EndpointFilter) {
  return (
    lease !== undefined &&
    (filter.networkName === undefined || filter.networkName === owner.networkName) &&
    (filter.ifname === undefined || filter.ifname === ifname) &&
    (filter.node === undefined || filter.node === lease.node) &&
    (filter.name === undefined || lease.names.includes(filter.name))
  );
}

export function viewEndpoint({ owner, containerId, ifname, leases }: Attachment<NetworkState>): Endpoint {
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

function byPlace(a: Endpoint, b: Endpoint): number {
  return (
    compareText(a.networkName, b.networkName) ||
    compareText(a.name, b.name) ||
    compareText(a.containerId, b.containerId) ||
    compareText(a.ifname, b.ifname)
  );
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

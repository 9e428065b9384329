/** Records for tests of stores and of what works on records: complete, with every field set. */

import { parseAddress } from "../../../lib/addr/address.ts";
import type { EventRecord, LeaseRecord, NetworkRecord } from "../../../lib/ipam/store.ts";
import { poolsOfSubnets, subnetOfSpec } from "../../../lib/ipam/subnet-spec.ts";

const SPACE = "default";

export function networkRecord(name: string, version: number, subnet = "10.1.0.0/24"): NetworkRecord {
  return {
    id: name.padEnd(64, "0"),
    name,
    driver: "bridge",
    origin: "api",
    addressSpace: SPACE,
    internal: false,
    attachable: true,
    coolingSeconds: 60,
    maxAttachments: 7,
    options: { mtu: "1400" },
    labels: { team: "a" },
    pools: poolsOfSubnets([
      subnetOfSpec({
        subnet,
        ipRange: subnet,
        exclusions: ["10.1.0.16/28"],
        auxAddresses: { printer: "10.1.0.9" },
      }),
      subnetOfSpec({ subnet: "fd00:1::/64", gateway: null }),
    ]),
    createdAtMs: 1_700_000_000_000,
    version,
  };
}

export function leaseRecord(
  network: NetworkRecord,
  address: string,
  over: Partial<LeaseRecord>,
): LeaseRecord {
  return {
    addressSpace: network.addressSpace,
    address: parseAddress(address),
    networkId: network.id,
    pool: 0,
    state: "bound",
    sequence: over.version ?? 1,
    version: 1,
    containerId: `container-${address}`,
    ifname: "eth0",
    node: "n1",
    bootId: "boot-1",
    mac: "02:00:00:00:00:01",
    names: ["web", "www"],
    stickyName: "web-0",
    acquiredAtMs: 1_700_000_000_123,
    sinceMs: 1_700_000_000_123,
    untilMs: null,
    reservation: null,
    quarantine: null,
    ...over,
  };
}

/** An event of the kind that a change of `subject` has. */
export function eventRecord(revision: number, subject: NetworkRecord | LeaseRecord): EventRecord {
  const lease = "address" in subject ? subject : null;
  return {
    revision,
    atMs: 1_700_000_000_000 + revision * 1000,
    actor: "uid:0",
    kind: lease === null ? "network-created" : "lease-bound",
    networkName: lease === null ? (subject as NetworkRecord).name : "web",
    networkId: lease === null ? (subject as NetworkRecord).id : "",
    addressSpace: SPACE,
    address: lease?.address ?? null,
    containerId: lease?.containerId ?? "",
    ifname: lease?.ifname ?? "",
    node: lease?.node ?? "",
    mac: lease?.mac ?? "",
    sequence: lease?.sequence ?? 0,
    reason: "",
  };
}

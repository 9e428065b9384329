/** Networks, endpoints and queries for the tests of names. */

import { CLASS_IN, encodeMessage, type Message, NO_FLAGS } from "../../../lib/dns/message.ts";
import { typeName } from "../../../lib/dns/record-types.ts";
import type { Endpoint, Network } from "../../../lib/ipam/api.ts";

export interface NetworkWish {
  readonly id?: string;
  readonly driver?: string;
  readonly origin?: Network["origin"];
  readonly internal?: boolean;
  /** Subnet → gateway. None: a network without addresses. */
  readonly subnets?: Readonly<Record<string, string | null>>;
}

export function networkOf(name: string, wish: NetworkWish = {}): Network {
  const pools = Object.entries(wish.subnets ?? {}).map(([subnet, gateway], pool) => ({
    pool,
    family: subnet.includes(":") ? (6 as const) : (4 as const),
    subnets: [
      {
        subnet,
        gateway,
        ranges: [],
        exclusions: [],
        auxAddresses: {},
        fromDefaultPool: false,
        ipRange: null,
        gatewayGiven: false,
      },
    ],
  }));
  return {
    id: wish.id ?? `id-${name}`,
    name,
    driver: wish.driver ?? "bridge",
    origin: wish.origin ?? "api",
    addressSpace: "default",
    internal: wish.internal ?? false,
    attachable: false,
    ipv6: pools.some(({ family }) => family === 6),
    coolingSeconds: 60,
    maxAttachments: null,
    options: {},
    labels: {},
    pools,
    attachments: 0,
    createdAt: "2026-01-01T00:00:00.000Z",
  };
}

/** `endpointOf("frontend", "ins01", ["10.1.0.2/24"])`: the container is called by its ID. */
export function endpointOf(networkName: string, containerId: string, addresses: readonly string[]): Endpoint {
  return {
    id: `${networkName}/${containerId}`,
    networkId: `id-${networkName}`,
    networkName,
    containerId,
    ifname: "eth0",
    node: "n1",
    mac: "",
    name: containerId,
    names: [containerId],
    addresses: addresses.map((address) => ({ address, gateway: null })),
    acquiredAt: "2026-01-01T00:00:00.000Z",
  };
}

/** The endpoint of a container that is called otherwise. */
export function withNames(endpoint: Endpoint, names: readonly string[]): Endpoint {
  return { ...endpoint, name: names[0] ?? "", names };
}

/** A query as bytes. `type` by number where it has no name. */
export function queryOf(
  name: string,
  type: string | number = "A",
  changes: Partial<Message> = {},
): Uint8Array {
  return encodeMessage({
    id: 0x1234,
    flags: { ...NO_FLAGS, recursionDesired: true },
    questions: [{ name, type: typeof type === "number" ? typeName(type) : (type as "A"), class: CLASS_IN }],
    answers: [],
    authority: [],
    additional: [],
    ...changes,
  });
}

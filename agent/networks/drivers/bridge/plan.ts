/** A network of driver `bridge` as this node is to have it, worked out of what the service says. Pure. */
import { parseAddress } from "../../../../lib/addr/address.ts";
import { type InterfaceAddress, parsePrefix } from "../../../../lib/addr/prefix.ts";
import type { HostNetwork } from "../../../../lib/host/network/verbs.ts";
import type { Network } from "../../../../lib/ipam/api.ts";
import { type BridgeOptions, readBridgeOptions } from "../../../../lib/ipam/network-options.ts";

/** A bridge as the network wants it. */
export interface NodeBridge extends HostNetwork {
  readonly networkId: string;
  readonly masquerades: boolean;
  /** Bytes; null: what the kernel gives. */
  readonly mtu: number | null;
  /** The host has no address on it, not even a link-local one. */
  readonly isolated: boolean;
  /** What of the options is for those who attach to it. */
  readonly attachment: Pick<BridgeOptions, "hostBinding" | "sourceCheck" | "probe">;
}

export function planBridge(network: Network): NodeBridge {
  const { id, name, internal, pools } = network;
  const subnets = pools.flatMap((pool) => pool.subnets);
  const options = readBridgeOptions(network);
  const gateways = subnets.flatMap(({ subnet, gateway }): InterfaceAddress[] =>
    gateway === null ? [] : [{ address: parseAddress(gateway), length: parsePrefix(subnet).length }],
  );
  return {
    networkId: id,
    networkName: name,
    bridge: options.bridge,
    gateways,
    prefixes: subnets.map(({ subnet }) => parsePrefix(subnet)),
    internal,
    masquerades: !internal && options.ipMasquerade,
    separate: !options.icc,
    closed: ([4, 6] as const).filter((family) => !options.routedInto.includes(family)),
    mtu: options.mtu,
    isolated: options.isolated,
    attachment: options,
  };
}

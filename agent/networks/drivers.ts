/** Which driver of this node a network has. */
import type { Network } from "../../lib/ipam/api.ts";
import { type Driver, isDriver } from "../../lib/ipam/network-options.ts";
import { bridgeDriver } from "./drivers/bridge/driver.ts";
import type { Census, Leftover, NodeDriver, NodeNetwork } from "./drivers/driver.ts";
import { macvlanDriver } from "./drivers/macvlan.ts";
import type { NodeNetlink } from "./drivers/node-netlink.ts";
import { noDriver } from "./drivers/none.ts";

const DRIVERS: Readonly<Record<Driver, NodeDriver>> = {
  bridge: bridgeDriver,
  host: noDriver,
  macvlan: macvlanDriver,
  null: noDriver,
};

/** The network as its driver has it on this node. Pure. */
export function onThisNode(network: Network): NodeNetwork {
  const { driver, origin } = network;
  const isOurs = origin !== "conflist" && isDriver(driver);
  return (isOurs ? DRIVERS[driver] : noDriver).networkOf(network);
}

/** What networks that are gone left behind, of whatever driver they were. @throws FairleadError kernel-refused */
export function findLeftovers(host: NodeNetlink, census: Census): readonly Leftover[] {
  return [...new Set(Object.values(DRIVERS))].flatMap((driver) => driver.findLeftovers(host, census));
}

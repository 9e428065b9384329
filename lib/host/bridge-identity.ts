/** By what bridges are told apart: their MAC addresses, and whose they are. */
import { deriveMac } from "../addr/mac.ts";
import { bootId } from "../linux/machine.ts";

/** MAC address of a bridge that is made: of this boot of this machine, because two machines may share a segment. */
export function bridgeMacOf(name: string): string {
  return deriveMac(`bridge ${JSON.stringify([bootId(), name])}`);
}

/** Alias of a bridge that a network's ADD made, by which GC knows that it may be removed. */
export function bridgeAliasOf(networkName: string): string {
  return MADE + networkName;
}

const MADE = "fairlead:";
const KEPT = "fairlead-network:";

/** True for the alias of a bridge that Fairlead made, which has a MAC address of its own; others are somebody else's. */
export function isFairleadBridge(alias: string): boolean {
  return alias.startsWith(MADE) || alias.startsWith(KEPT);
}

/** Alias of a bridge that the agent keeps for a network of the service, with or without containers. */
export function keptBridgeAliasOf(networkId: string): string {
  return KEPT + networkId;
}

/** The network that the agent keeps a bridge for, by the bridge's alias; null for every other bridge. */
export function networkIdOfKeptBridge(alias: string): string | null {
  return alias.startsWith(KEPT) ? alias.slice(KEPT.length) : null;
}

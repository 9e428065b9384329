/** By what bridges are told apart: their MAC addresses, and whose they are. */
import { deriveMac } from "../../addr/mac.ts";
import { hashHex } from "../../hash.ts";
import { bootId } from "../../linux/processes/machine.ts";

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

/** A bridge that an agent keeps for a network of its service, with or without containers. */
export interface KeptBridge {
  readonly networkId: string;
  /** Tells apart the services of one host: {@link serviceMarkOf}. */
  readonly service: string;
}

/** Stands for a service in what an agent leaves on the host, by the path of its socket. */
export function serviceMarkOf(serverSocket: string): string {
  return hashHex(serverSocket, 8);
}

export function keptBridgeAliasOf({ networkId, service }: KeptBridge): string {
  return `${KEPT}${networkId}@${service}`;
}

/** What the alias of a bridge says; null for every bridge that no agent keeps. */
export function keptBridgeOf(alias: string): KeptBridge | null {
  if (!alias.startsWith(KEPT)) return null;
  const [networkId = "", service = ""] = alias.slice(KEPT.length).split("@");
  return { networkId, service };
}

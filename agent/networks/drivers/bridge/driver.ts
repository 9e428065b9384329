/** Driver `bridge`: a bridge of the network's own, whose gateway the host is, kept apart from all others by the host's firewall. */
import { isolationOf } from "../../../../lib/host/network/verbs.ts";
import { bridgedPortProblems, isBridgedFiltered } from "../../firewalls/bridge-netfilter.ts";
import type { NodeDriver } from "../driver.ts";
import { findLeftovers } from "./leftovers.ts";
import { ensureNodeBridge } from "./place.ts";
import { planBridge } from "./plan.ts";
import { conflistPart } from "./section.ts";

export const bridgeDriver: NodeDriver = {
  networkOf(network) {
    const bridge = planBridge(network);
    const hasIpv6 = bridge.prefixes.some(({ address }) => address.family === 6);
    return {
      network,
      routed: { isolation: isolationOf(bridge), hasIpv6 },
      conflist: (settings) => conflistPart(bridge, settings),
      ensure: (host) => ensureNodeBridge(host, bridge),
      requireUsable: () => undefined,
      problems: () => (bridge.separate ? bridgedPortProblems([bridge], isBridgedFiltered) : []),
    };
  },
  findLeftovers,
};

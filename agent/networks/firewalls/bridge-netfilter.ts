/**
 * What br_netfilter changes for a network with icc=false: its containers do not reach ports that containers of the same network
 * publish, themselves included.
 *
 * Without it, a packet to such a port is the host's, which translates and routes it. With it, the translation happens in the
 * bridge, which then takes the packet straight from one port to the other; and the ports are isolated from each other. There
 * is no switch for one bridge: the kernel takes its own setting and the host's by "or".
 *
 * Source: net/bridge/br_netfilter_hooks.c, br_nf_pre_routing_finish ("bridged_dnat"); net/bridge/br_private.h, br_skb_isolated.
 */
import type { HostNetwork } from "../../../lib/host/network/verbs.ts";
import { readSysctl } from "../../../lib/linux/files/sysctl.ts";
import type { AgentProblem } from "../../../lib/rpc/agent-api.ts";

const SYSCTLS = { 4: "bridge-nf-call-iptables", 6: "bridge-nf-call-ip6tables" } as const;

/** Whether the kernel shows bridged packets of a family to its IP hooks. False where br_netfilter is not loaded. */
export function isBridgedFiltered(family: 4 | 6): boolean {
  return readSysctl(["bridge", SYSCTLS[family]]) === "1";
}

/** One warning for each network with icc=false that the setting changes; `isFiltered`: see {@link isBridgedFiltered}. */
export function bridgedPortProblems(
  bridges: readonly Pick<HostNetwork, "networkName" | "separate" | "internal" | "prefixes">[],
  isFiltered: (family: 4 | 6) => boolean,
): AgentProblem[] {
  const filtered = ([4, 6] as const).filter(isFiltered);
  return bridges.flatMap(({ networkName, separate, internal, prefixes }) => {
    const families = filtered.filter((family) => prefixes.some(({ address }) => address.family === family));
    // Nothing is published from an internal network.
    return separate && !internal && families.length > 0 ? [problemOf(networkName, families)] : [];
  });
}

function problemOf(network: string, families: readonly (4 | 6)[]): AgentProblem {
  const settings = families.map((family) => `net.bridge.${SYSCTLS[family]}`);
  return {
    severity: "warning",
    object: `network ${network}`,
    message:
      `network ${network} has icc=false, and br_netfilter is on (${settings.map((key) => `${key}=1`).join(", ")}): its containers do ` +
      `not reach ports that the network itself publishes; sysctl ${settings.map((key) => `${key}=0`).join(" ")} lets them, ` +
      "unless rules of others need it (kube-proxy, Docker)",
  };
}

/**
 * Firewalls of others that drop what containers need: let through where the configuration says so, else told of, with the lines
 * that would help.
 *
 * Chains of iptables-legacy are not in nftables, cannot be seen, and are told of for that reason. What is between two containers
 * of one bridge passes chains as well where br_netfilter is on.
 */
import { readFileSync } from "node:fs";
import {
  ensureAccepted,
  findObstacles,
  type Obstacle,
  removeAccepted,
} from "../../../lib/host/firewall/foreign/accept.ts";
import { chainText } from "../../../lib/host/firewall/foreign/chains.ts";
import type { LinkPattern } from "../../../lib/host/firewall/foreign/plan.ts";
import type { NFTables } from "../../../lib/netlink/nftables/nftables.ts";
import type { AgentProblem } from "../../../lib/rpc/agent-api.ts";
import type { FirewallAccept } from "../../base/config.ts";
import { isBridgedFiltered } from "./bridge-netfilter.ts";

/** Brings our rules in others' chains to what they must be. Returns the chains that were changed. @throws FairleadError */
export function keepAccepted(
  nft: NFTables,
  accept: FirewallAccept,
  patterns: readonly LinkPattern[],
): readonly string[] {
  return accept === "auto" ? ensureAccepted(nft, patterns) : removeAccepted(nft);
}

/** What is in the way of containers. @throws FairleadError */
export function firewallProblems(nft: NFTables, patterns: readonly LinkPattern[]): AgentProblem[] {
  if (patterns.length === 0) return [];
  const isFiltered = isBridgedFiltered(4) || isBridgedFiltered(6);
  const obstacles = findObstacles(nft, patterns);
  return [
    ...obstacles.map((obstacle) => problemOf(obstacle, isFiltered)),
    ...(usesLegacyFilter() ? [LEGACY] : []),
  ];
}

function problemOf({ chain, outcome, purposes, lines }: Obstacle, isFiltered: boolean): AgentProblem {
  const text = chainText(chain);
  const bridged =
    chain.hook === "forward" && isFiltered
      ? "; br_netfilter is on, so containers of one network do not reach each other either (sysctl net.bridge.bridge-nf-call-iptables=0 ends that)"
      : "";
  return {
    severity: outcome === "drops" ? "error" : "warning",
    object: `chain ${text}`,
    message:
      `chain ${text} ${outcome === "drops" ? "drops" : "may drop"} ${list(purposes)}${bridged}; ` +
      `set firewall.accept to auto, or let it through with: ${lines.join("; ")}`,
  };
}

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

const LEGACY: AgentProblem = {
  severity: "warning",
  object: "iptables-legacy",
  message:
    "iptables-legacy has a filter table on this host, whose chains cannot be seen from here; if its policies are DROP, names and " +
    "published ports need: iptables-legacy -I INPUT -i fl-+ -p udp --dport 53 -j ACCEPT; iptables-legacy -I FORWARD -i fl-+ -j ACCEPT; " +
    "iptables-legacy -I FORWARD -o fl-+ -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT",
};

/** Source: net/ipv4/netfilter/ip_tables.c: one name a line, of this network namespace; the file is of a module. */
function usesLegacyFilter(): boolean {
  try {
    return readFileSync("/proc/net/ip_tables_names", "latin1").split("\n").includes("filter");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw thrown;
  }
}

/**
 * Firewalls of others that may drop what this node forwards for containers.
 *
 * Every base chain on the forward hook has its say, and a packet that one of them drops is dropped, whatever Fairlead's
 * own table says. A chain with policy drop and no rule for our bridges is what users look for longest; Fairlead tells, and
 * leaves it alone. Chains of iptables-legacy are not in nftables and are not seen.
 */

import { type Chain, getAllChains, NF_INET_FORWARD } from "../../lib/netlink/nftables/chain.ts";
import { NF_DROP } from "../../lib/netlink/nftables/data.ts";
import { familyName, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6 } from "../../lib/netlink/nftables/message.ts";
import type { NFTables } from "../../lib/netlink/nftables/nftables.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";

const ROUTED_FAMILIES: ReadonlySet<number> = new Set([NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6]);

/** One warning for each chain of somebody else that drops what no rule in it accepts. */
export function foreignFirewallWarnings(nft: NFTables): AgentProblem[] {
  return nft.list(getAllChains()).filter(mayDropForwarded).map(warning);
}

function mayDropForwarded({ family, hook, policy, table, type }: Chain): boolean {
  const isOurs = table === "fairlead" && family === NFPROTO_INET;
  const isForward = hook?.number === NF_INET_FORWARD && type === "filter";
  return isForward && policy === NF_DROP && ROUTED_FAMILIES.has(family) && !isOurs;
}

function warning({ family, table = "", name = "" }: Chain): AgentProblem {
  const chain = `${familyName(family)} ${table} ${name}`;
  return {
    severity: "warning",
    object: `chain ${chain}`,
    message:
      `chain ${chain} drops forwarded packets that no rule in it accepts; containers reach nothing beyond this host ` +
      `unless it accepts what comes from and goes to their bridges (nft list chain ${chain})`,
  };
}

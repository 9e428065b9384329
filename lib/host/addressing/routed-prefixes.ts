/**
 * What this network namespace sends by ways of its own, in whatever table: prefixes that a new subnet would hide, or that
 * would hide it.
 *
 * - Routes of every table but `local`, also of tables that no rule leads to at the moment: VPNs (WireGuard, Tailscale), VRFs and
 *   administrators fill their tables first. What names this host (local, broadcast, anycast, multicast) is no way to others,
 *   and `throw` sends the search on to where the prefix stands again.
 * - Destinations of rules (`to PREFIX lookup 100`, `to PREFIX blackhole`): the table may hold no more than a default route. A rule
 *   that leads to `main` or `local` is an exception, made for the ways that are in there.
 * - Routes to everywhere, and to a half of it, are left out in every table. No choice of a subnet escapes a rule that takes all
 *   packets; and where `main` is asked first for all but its default route (`suppress_prefixlength 0`), a bridge's subnet wins.
 *
 * Source: ip-rule(8); ip-route(8); wg-quick(8), Table; OpenVPN, redirect-gateway def1.
 */
import type { Address, Family } from "../../addr/address.ts";
import { type Prefix, prefixOf } from "../../addr/prefix.ts";
import type { NetlinkConnection } from "../../netlink/connection.ts";
import {
  getRoutes,
  type Route,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_ANYCAST,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_THROW,
} from "../../netlink/route/route.ts";
import { FIB_RULE_INVERT, FR_ACT_GOTO, FR_ACT_NOP, getRules, type Rule } from "../../netlink/route/rule.ts";

/** A half of everything is a default route, too: VPNs lay two of them over the host's own. */
const LONGEST_DEFAULT = 1;
const NO_WAYS: readonly number[] = [RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST, RTN_MULTICAST, RTN_THROW];

/** Each once for every route or rule that names it. @throws NetlinkError; FairleadError unavailable */
export function listRoutedPrefixes(connection: NetlinkConnection): Prefix[] {
  return ([4, 6] as const).flatMap((family) => [
    ...connection.dump(getRoutes({ family })).filter(isWay).flatMap(destinationOf(family)),
    ...connection.dump(getRules(family)).filter(leadsElsewhere).flatMap(destinationOf(family)),
  ]);
}

function isWay({ type, table, headerTable }: Route): boolean {
  return !NO_WAYS.includes(type) && (table ?? headerTable) !== RT_TABLE_LOCAL;
}

/** An inverted rule is about all but its destination. */
function leadsElsewhere({ action, flags, table, headerTable }: Rule): boolean {
  if (action === FR_ACT_GOTO || action === FR_ACT_NOP || (flags & FIB_RULE_INVERT) !== 0) return false;
  const number = table ?? headerTable;
  return number !== RT_TABLE_MAIN && number !== RT_TABLE_LOCAL;
}

interface Destination {
  readonly destinationLength: number;
  readonly destination?: Address | undefined;
}

/** None for what is about everything. */
function destinationOf(family: Family) {
  return ({ destination, destinationLength }: Destination): Prefix[] => {
    const address = destination ?? { family, value: 0n };
    return destinationLength > LONGEST_DEFAULT ? [prefixOf(address, destinationLength)] : [];
  };
}

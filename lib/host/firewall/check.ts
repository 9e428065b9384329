/** How CNI CHECK reports what it finds in Fairlead's firewall tables. */
import { FairleadError } from "../../errors.ts";
import type { NFTables } from "../../netlink/nftables/nftables.ts";

export interface FirewallCheck {
  /** "check masquerading of network". */
  readonly operation: string;
  readonly object: string;
  /** Where it looks: "inet fairlead". */
  readonly table: string;
  /** What to do, after that something else changed the rules. */
  readonly remedy: string;
}

/**
 * Looks at one consistent state of the rules.
 *
 * @param findProblem says what is missing or different; null: nothing. May be called again, when the rules change meanwhile.
 * @throws FairleadError check-failed; unavailable when the rules do not stop changing; what `findProblem` throws.
 */
export function checkFirewall(
  nft: NFTables,
  { operation, object, table, remedy }: FirewallCheck,
  findProblem: () => string | null,
): void {
  const problem = nft.read(`${operation} ${object}`, findProblem);
  if (problem === null) return;
  throw new FairleadError({
    code: "check-failed",
    operation,
    object,
    reason: `${problem} (table ${table})`,
    hint: `something else changed nftables; ${remedy}`,
  });
}

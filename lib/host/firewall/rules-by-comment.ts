/** Taking back rules that another program made with nftables, by the comments that it gave them. */
import type { NFTables } from "../../netlink/nftables/nftables.ts";
import { type ChainOfRules, deleteRule, getRules } from "../../netlink/nftables/rule.ts";
import { decodeComment } from "../../netlink/nftables/userdata.ts";

/**
 * Removes the rules of these chains whose comments are meant. Chains that are not there have none. Idempotent.
 *
 * @param purpose for the error: "remove rules of container c1".
 * @throws FairleadError kernel-refused, unavailable.
 */
export function removeRulesByComment(
  nft: NFTables,
  { purpose, chains }: { readonly purpose: string; readonly chains: readonly ChainOfRules[] },
  isMeant: (comment: string) => boolean,
): void {
  nft.update(purpose, () =>
    chains.flatMap((chain) =>
      nft.list(getRules(chain)).flatMap(({ handle, userdata }) => {
        const comment = decodeComment(userdata);
        return handle !== undefined && comment !== null && isMeant(comment)
          ? [deleteRule({ ...chain, handle })]
          : [];
      }),
    ),
  );
}

/** `nft` as the judge of rules that ours made. */
import { NftNetns } from "./nftables-netns.ts";

/** What `nft` makes of a script, {@link sorted}. */
export function listedByNft(script: string): unknown[] {
  const judge = new NftNetns("judge");
  try {
    judge.apply(script);
    return sorted(judge.listJson());
  } finally {
    judge.close();
  }
}

/**
 * A listing that can be compared: sets, chains and elements are listed in the order in which they were made, and only the
 * order of the rules of one chain means something.
 */
export function sorted(entries: readonly unknown[]): unknown[] {
  return [...entries].map(withSortedElements).sort((a, b) => compareText(sortKey(a), sortKey(b)));
}

function sortKey(entry: unknown): string {
  const { rule } = entry as { rule?: { family: string; table: string; chain: string } };
  return rule ? `rule ${rule.family} ${rule.table} ${rule.chain}` : JSON.stringify(entry);
}

function withSortedElements(entry: unknown): unknown {
  return JSON.parse(JSON.stringify(entry), (key, value) =>
    key === "elem" && Array.isArray(value) ? value.sort(compareJson) : value,
  );
}

function compareJson(a: unknown, b: unknown): number {
  return compareText(JSON.stringify(a), JSON.stringify(b));
}

function compareText(a: string, b: string): number {
  return a.localeCompare(b);
}

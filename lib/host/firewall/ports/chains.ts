/** The chains, maps and sets that publishing needs: made once, and taken away when nobody publishes. */
import { deleteChain, getChain, getChains, newChain } from "../../../netlink/nftables/chain.ts";
import type { NFTables } from "../../../netlink/nftables/nftables.ts";
import { flushChain, newRule } from "../../../netlink/nftables/rule.ts";
import { deleteSet, getSets, newSet } from "../../../netlink/nftables/set.ts";
import { deleteTable, getTable, newTable } from "../../../netlink/nftables/table.ts";
import type { NetlinkRequest } from "../../../netlink/request.ts";
import { readRules } from "../masquerade/state.ts";
import { holds } from "../rules-compare.ts";
import { INSIDE, TABLE } from "../table.ts";
import { PORTMAP_CHAIN_USES, type PortChain, portmapChains, portmapSets } from "./plan.ts";
import { readPortmap } from "./state.ts";

type Requests = readonly NetlinkRequest<unknown>[];

/**
 * Whether every chain is there and has as many rules as it should: one exchange. What the rules say is
 * {@link hasRules}'s to tell.
 */
export function isPortmapInPlace(nft: NFTables): boolean {
  const wanted = Object.entries(PORTMAP_CHAIN_USES);
  const found = nft.findAll(wanted.map(([name]) => getChain({ ...INSIDE, name })));
  return wanted.every(([, uses], at) => (found[at]?.use ?? 0) >= uses);
}

/** Makes what is missing of the table; a chain with other rules than it should have gets them all anew. */
export function requestsForPortmapTable(nft: NFTables): Requests {
  const sets = new Set(nft.list(getSets(INSIDE)).map(({ name }) => name));
  const chains = new Set(nft.list(getChains(INSIDE)).map(({ name }) => name));
  const missing = portmapSets().filter(({ name }) => !sets.has(name));
  return [
    newTable(TABLE),
    ...missing.map((set, at) => newSet({ ...set, id: at + 1 })),
    ...portmapChains().flatMap((one) => requestsForChain(nft, one, chains.has(one.chain.name))),
  ];
}

function requestsForChain(nft: NFTables, { chain, rules }: PortChain, exists: boolean): Requests {
  const made = rules.map((expressions) => newRule({ ...INSIDE, chain: chain.name, expressions }));
  if (!exists) return [newChain(chain), ...made];
  if (hasRules(nft, { chain, rules })) return [];
  return [flushChain({ ...INSIDE, chain: chain.name }), ...made];
}

/** Whether the chain has exactly the rules that it should have. */
export function hasRules(nft: NFTables, { chain, rules }: PortChain): boolean {
  const found = readRules(nft, chain.name);
  return found.length === rules.length && rules.every((rule, at) => holds(found[at] ?? [], rule));
}

/**
 * Takes away everything that publishing made, if no attachment has anything published; and the table, if nothing else is
 * in it. Idempotent.
 *
 * @throws FairleadError kernel-refused, unavailable.
 */
export function removeUnusedPortmap(nft: NFTables): void {
  nft.update("remove unused chains of published ports", () => {
    const { ports, attachments, kept } = readPortmap(nft);
    return ports.length + attachments.length + kept.length > 0 ? [] : requestsToRemoveAll(nft);
  });
}

function requestsToRemoveAll(nft: NFTables): Requests {
  const inTable = new Set(
    [...nft.list(getSets(INSIDE)), ...nft.list(getChains(INSIDE))].map(({ name }) => name),
  );
  const sets = portmapSets().filter(({ name }) => inTable.has(name));
  // What jumps goes before what it jumps to, and rules before the sets that they look up in.
  const chains = portmapChains()
    .map(({ chain }) => chain)
    .filter(({ name }) => inTable.has(name))
    .reverse();
  const own = sets.length + chains.length;
  if (own === 0) return [];
  if (nft.find(getTable(TABLE))?.use === own) return [deleteTable(TABLE)];
  return [...chains.map(deleteChain), ...sets.map(deleteSet)];
}

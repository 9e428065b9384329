/** Questions about the elements of a set, and taking them out. */
import { isAbsent, NetlinkError } from "../request.ts";
import {
  deleteElements,
  destroyElements,
  type Element,
  type ElementsKey,
  getElement,
  getElements,
} from "./element.ts";
import type { NFTables } from "./nftables.ts";

/** One element, by key (of an interval: a key inside); undefined when there is none, or no such set. */
export function findElement(nft: NFTables, set: ElementsKey, key: Uint8Array): Element | undefined {
  return nft.find(getElement(set, key))?.elements?.[0];
}

/** The elements of a set; none when there is no such set. */
export function listElements(nft: NFTables, set: ElementsKey): Element[] {
  return nft.list(getElements(set)).flatMap(({ elements }) => elements ?? []);
}

/**
 * Deletes those of the elements that are there. Idempotent, and content when there is no such set.
 *
 * On kernels that cannot do that (before 6.3), one transaction an element.
 *
 * @throws NetlinkError
 */
export function removeElements(nft: NFTables, set: ElementsKey, elements: readonly Element[]): void {
  try {
    nft.commit([destroyElements(set, elements)]);
  } catch (error) {
    if (isAbsent(error)) return;
    if (!isUnsupported(error)) throw error;
    for (const one of elements) removeElement(nft, set, one);
  }
}

function removeElement(nft: NFTables, set: ElementsKey, element: Element): void {
  try {
    nft.commit([deleteElements(set, [element])]);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

/** Kernels before 6.3 do not know the NFT_MSG_DESTROY* messages. */
function isUnsupported(error: unknown): boolean {
  return error instanceof NetlinkError && (error.errnoName === "EINVAL" || error.errnoName === "EOPNOTSUPP");
}

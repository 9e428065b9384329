/** Changing elements of published ports, many at once. */
import { type Element, element, type newElements } from "../../../netlink/nftables/element.ts";
import type { SetSpec } from "../../../netlink/nftables/set.ts";
import type { NetlinkRequest } from "../../../netlink/request.ts";
import { formatHostPort } from "./holder.ts";
import { type PublishedPort, portTarget } from "./plan.ts";
import { elementsKey } from "./state.ts";

/** Elements to be changed alike, by the set that they are in. */
export class ElementChanges {
  readonly #bySet = new Map<SetSpec, Element[]>();

  add(set: SetSpec, one: Element): void {
    const elements = this.#bySet.get(set);
    if (elements) elements.push(one);
    else this.#bySet.set(set, [one]);
  }

  /** An attribute holds 64 KiB, an element up to some 350 bytes. */
  requests(change: typeof newElements): NetlinkRequest[] {
    const requests: NetlinkRequest[] = [];
    for (const [set, elements] of this.#bySet) {
      for (let at = 0; at < elements.length; at += ELEMENTS_PER_REQUEST) {
        requests.push(change(elementsKey(set), elements.slice(at, at + ELEMENTS_PER_REQUEST)));
      }
    }
    return requests;
  }
}

const ELEMENTS_PER_REQUEST = 128;

export function portElement(key: Uint8Array, port: PublishedPort, comment: string): Element {
  return element({ key, value: portTarget(port), comment });
}

export function isSameKey(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

export function isSamePort(a: PublishedPort, b: PublishedPort): boolean {
  return formatHostPort(a) === formatHostPort(b) && isSameKey(portTarget(a), portTarget(b));
}

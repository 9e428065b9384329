/** Finds slots by a text: the sticky name of an address, or the container that had it last. */
import type { Slot } from "../../lib/ipam/pool.ts";

/** Slots by a text. Most texts have one slot, which stands for itself: a set costs four times the memory. */
export class SlotIndex {
  readonly #slots = new Map<string, Slot | Set<Slot>>();

  get(key: string): Iterable<Slot> {
    const found = this.#slots.get(key);
    if (found === undefined) return [];
    return found instanceof Set ? found : [found];
  }

  /** An empty text names nothing. */
  add(key: string, slot: Slot): void {
    if (key === "") return;
    const found = this.#slots.get(key);
    if (found instanceof Set) found.add(slot);
    else this.#slots.set(key, found === undefined ? slot : new Set([found, slot]));
  }

  remove(key: string, slot: Slot): void {
    const found = this.#slots.get(key);
    if (found instanceof Set) found.delete(slot);
    if (found === slot || (found instanceof Set && found.size === 0)) this.#slots.delete(key);
  }
}

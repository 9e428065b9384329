/**
 * What is known about single addresses of one family, by their value.
 *
 * Neighbours lie together in maps of up to 256, because addresses are handed out one after the other: an insertion touches a
 * small map, and a garbage collector need not read again all that there is. See chunked-map.ts.
 */

const BLOCK_BITS = 8n;

const NOTHING = new Map<bigint, never>();

export class AddressMap<V> {
  readonly #blocks = new Map<bigint, Map<bigint, V>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(value: bigint): V | undefined {
    return this.#blocks.get(value >> BLOCK_BITS)?.get(value);
  }

  has(value: bigint): boolean {
    return this.#blocks.get(value >> BLOCK_BITS)?.has(value) ?? false;
  }

  set(value: bigint, content: V): void {
    const number = value >> BLOCK_BITS;
    const block = this.#blocks.get(number) ?? new Map<bigint, V>();
    if (block.size === 0) this.#blocks.set(number, block);
    const before = block.size;
    block.set(value, content);
    this.#size += block.size - before;
  }

  /** Returns whether there was one. */
  delete(value: bigint): boolean {
    const number = value >> BLOCK_BITS;
    const block = this.#blocks.get(number);
    if (!block?.delete(value)) return false;
    this.#size -= 1;
    if (block.size === 0) this.#blocks.delete(number);
    return true;
  }

  /** Numbers of the blocks that hold anything, in no order. */
  blockNumbers(): Iterable<bigint> {
    return this.#blocks.keys();
  }

  /** What is known of the 256 addresses of one block, by value, in no order. Must not be changed. */
  block(number: bigint): ReadonlyMap<bigint, V> {
    return this.#blocks.get(number) ?? NOTHING;
  }

  /** In no order. */
  *values(): Generator<V> {
    for (const block of this.#blocks.values()) yield* block.values();
  }
}

/** What a heap keeps in its items: their place in it. */
export interface HeapItem {
  /** Place in the heap that holds the item; -1 when none does. Only the heap writes it. */
  heapIndex: number;
}

/**
 * A binary heap out of whose middle an item can be taken: `push`, `pop` and `remove` are O(log n).
 *
 * An item is in at most one heap at a time. What decides its order must not change while it is in one.
 */
export class IndexedHeap<T extends HeapItem> {
  readonly #items: T[] = [];
  readonly #comesBefore: (a: T, b: T) => boolean;

  constructor(comesBefore: (a: T, b: T) => boolean) {
    this.#comesBefore = comesBefore;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The first item in the heap's order, or undefined. */
  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Takes `item`, which must be in this heap, out of it. */
  remove(item: T): void {
    const at = item.heapIndex;
    const last = this.#items.pop();
    item.heapIndex = -1;
    if (last === undefined || last === item) return;
    this.#rise(last, at);
    this.#sink(last, last.heapIndex);
  }

  #rise(item: T, from: number): void {
    let at = from;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.#items[parentAt];
      if (parent === undefined || !this.#comesBefore(item, parent)) break;
      this.#place(parent, at);
      at = parentAt;
    }
    this.#place(item, at);
  }

  #sink(item: T, from: number): void {
    let at = from;
    for (;;) {
      const child = this.#firstChild(at);
      if (child === undefined || !this.#comesBefore(child, item)) break;
      const childAt = child.heapIndex;
      this.#place(child, at);
      at = childAt;
    }
    this.#place(item, at);
  }

  #firstChild(at: number): T | undefined {
    const left = this.#items[2 * at + 1];
    const right = this.#items[2 * at + 2];
    if (left === undefined || right === undefined) return left;
    return this.#comesBefore(right, left) ? right : left;
  }

  #place(item: T, at: number): void {
    this.#items[at] = item;
    item.heapIndex = at;
  }
}

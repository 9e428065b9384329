/** How long each of several waits may take; what lies between two of them does not count. */
export class TimeLimit {
  readonly limitMs: number;
  readonly #onExpiry: () => void;
  isExpired = false;

  constructor(limitMs: number, onExpiry: () => void) {
    this.limitMs = limitMs;
    this.#onExpiry = onExpiry;
  }

  async on<T>(wait: Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.isExpired = true;
      this.#onExpiry();
    }, this.limitMs);
    try {
      return await wait;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What comes, each item waited for within the limit. Ending it early does not end what it comes from. */
  async *each<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    const iterator = items[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await this.on(iterator.next());
      if (done === true) return;
      yield value;
    }
  }
}

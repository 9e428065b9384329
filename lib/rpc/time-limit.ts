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
}

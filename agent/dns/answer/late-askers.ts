/**
 * Queries from addresses that nobody holds, as far as is known: a container may ask before the word that it has the address got
 * here. They wait for that word, a second at most; without it they get no answer.
 */

export interface LateLimits {
  /** Queries that wait, of one network. */
  readonly perNetwork: number;
  readonly waitMs: number;
}

export const LATE_LIMITS: LateLimits = { perNetwork: 64, waitMs: 1_000 };

export class LateAskers {
  readonly #limits: LateLimits;
  /** Network → what wakes those who wait. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(limits: LateLimits = LATE_LIMITS) {
    this.#limits = limits;
  }

  /**
   * Resolves when `isKnown` says so, which is asked after each change of the network; false when the time is up, or too many
   * wait.
   */
  wait(networkName: string, isKnown: () => boolean): Promise<boolean> {
    const waiting = this.#waiting.get(networkName) ?? new Set();
    if (waiting.size >= this.#limits.perNetwork) return Promise.resolve(false);
    this.#waiting.set(networkName, waiting);
    return new Promise((resolve) => {
      const end = (known: boolean): void => {
        clearTimeout(timer);
        waiting.delete(look);
        if (waiting.size === 0) this.#waiting.delete(networkName);
        resolve(known);
      };
      const look = (): void => void (isKnown() && end(true));
      const timer = setTimeout(() => end(isKnown()), this.#limits.waitMs);
      waiting.add(look);
    });
  }

  /** Attachments of the network have changed. */
  changed(networkName: string): void {
    for (const look of [...(this.#waiting.get(networkName) ?? [])]) look();
  }
}

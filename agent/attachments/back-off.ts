/** Who may be tried again when: each object by itself, twice as late after every failure. Pure. */

export interface BackOffLimits {
  readonly firstMs: number;
  readonly mostMs: number;
}

interface Failures {
  readonly count: number;
  readonly notBeforeMs: number;
}

export class BackOff {
  readonly #limits: BackOffLimits;
  readonly #failures = new Map<string, Failures>();

  constructor(limits: BackOffLimits) {
    this.#limits = limits;
  }

  /** @param nowMs of a clock that only goes on. */
  isDue(object: string, nowMs: number): boolean {
    return nowMs >= (this.#failures.get(object)?.notBeforeMs ?? 0);
  }

  failed(object: string, nowMs: number): void {
    const { firstMs, mostMs } = this.#limits;
    const count = (this.#failures.get(object)?.count ?? 0) + 1;
    const pauseMs = Math.min(firstMs * 2 ** (count - 1), mostMs);
    this.#failures.set(object, { count, notBeforeMs: nowMs + pauseMs });
  }

  succeeded(object: string): void {
    this.#failures.delete(object);
  }

  /** Forgets what is none of these. */
  keepOnly(objects: ReadonlySet<string>): void {
    for (const object of this.#failures.keys()) if (!objects.has(object)) this.#failures.delete(object);
  }
}

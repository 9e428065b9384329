/** How long to wait before the next attempt, in one place for all that is tried again. */
import { setTimeout as sleep } from "node:timers/promises";

export interface PauseLimits {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** Pauses between the attempts at one thing: each is twice as long as the one before, up to a limit. Pure. */
export class Pauses {
  readonly #limits: PauseLimits;
  #nextMs: number;

  constructor(limits: PauseLimits) {
    this.#limits = limits;
    this.#nextMs = limits.firstMs;
  }

  /** After a failure: how long to wait. */
  next(): number {
    const pauseMs = this.#nextMs;
    this.#nextMs = Math.min(2 * pauseMs, this.#limits.mostMs);
    return pauseMs;
  }

  /** After a success: the next failure is the first again. */
  reset(): void {
    this.#nextMs = this.#limits.firstMs;
  }
}

/** Resolves after some time, or as soon as the signal is aborted; never rejects, and leaves no listener behind. */
export async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

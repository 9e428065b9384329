import type { Clock } from "../lib/clock.ts";

/**
 * A clock that never goes back, and that gains on real time never more than its source did.
 *
 * While the source is behind what was shown already (it was set back, or the state was written by a server
 * whose clock was ahead), this clock runs at half the source's speed until the source has caught up. So a
 * cooling address is never free too early because a clock was set back, nor is it kept for ever.
 * A source that jumps forward is followed: nothing tells that from time that really passed.
 */
export class SteadyClock implements Clock {
  readonly #source: Clock;
  #shownMs: number;
  #sourceMs: number;

  /** `notBeforeMs` is the latest instant ever shown, by an earlier server on the same store too. */
  constructor(source: Clock, notBeforeMs: number) {
    this.#source = source;
    this.#sourceMs = source.now();
    this.#shownMs = Math.max(this.#sourceMs, notBeforeMs);
  }

  now(): number {
    const sourceMs = this.#source.now();
    if (sourceMs >= this.#shownMs) this.#shownMs = sourceMs;
    else this.#shownMs += Math.max(0, sourceMs - this.#sourceMs) / 2;
    this.#sourceMs = sourceMs;
    return Math.floor(this.#shownMs);
  }
}

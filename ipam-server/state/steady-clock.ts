/** The clock that leases and events are dated by: it follows the one of the machine, and never goes back. */
import type { Clock } from "../../lib/clock.ts";

/**
 * A clock that never goes back, and that is not jumped by its source: it counts the time that passed, and draws near to the source's
 * time meanwhile, at half speed while it is ahead, at double speed while it is behind.
 *
 * So a cooling address is never free too early because somebody set a clock, nor is it kept for ever; and the instants in
 * the event log become the wall clock's again.
 */
export class SteadyClock implements Clock {
  readonly #source: Clock;
  readonly #elapsed: Clock;
  #shownMs: number;
  #elapsedMs: number;

  /**
   * @param notBeforeMs the latest instant ever shown, by an earlier server on the same store too.
   * @param elapsed grows by the time that passes, suspended or not, from any start. Default: the source, which is then believed
   *   when it jumps forward.
   */
  constructor(source: Clock, notBeforeMs: number, elapsed: Clock = source) {
    this.#source = source;
    this.#elapsed = elapsed;
    this.#elapsedMs = elapsed.now();
    this.#shownMs = Math.max(source.now(), notBeforeMs);
  }

  now(): number {
    const sourceMs = this.#source.now();
    const elapsedMs = this.#elapsed.now();
    const passedMs = Math.max(0, elapsedMs - this.#elapsedMs);
    this.#elapsedMs = elapsedMs;
    const slow = this.#shownMs + passedMs / 2;
    const fast = this.#shownMs + 2 * passedMs;
    this.#shownMs = Math.min(Math.max(sourceMs, slow), fast);
    return Math.floor(this.#shownMs);
  }
}

/** The time that passes whether or not the machine is suspended, and whatever the wall clock is set to. */
import { readFileSync } from "node:fs";
import type { Clock } from "../../lib/clock.ts";

const UPTIME = "/proc/uptime";
/** Between two looks the monotonic clock is enough: only a suspension makes the two differ. */
const LOOK_MS = 1_000;
const SECOND_MS = 1_000;

/**
 * Milliseconds since the machine was booted, suspensions included; nobody can set it. What Node calls `hrtime` stands still while
 * the machine is suspended.
 *
 * Source: proc_uptime(5), fs/proc/uptime.c (ktime_get_boottime_ts64); clock_gettime(2), CLOCK_MONOTONIC.
 */
export class BootClock implements Clock {
  readonly #readUptime: () => string;
  readonly #monotonic: () => number;
  /** Of the boot clock over the monotonic one. */
  #leadMs = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    readUptime: () => string = () => readFileSync(UPTIME, "latin1"),
    monotonic: () => number = () => performance.now(),
  ) {
    this.#readUptime = readUptime;
    this.#monotonic = monotonic;
  }

  now(): number {
    const nowMs = this.#monotonic();
    if (nowMs - this.#lookedAtMs >= LOOK_MS) this.#look(nowMs);
    return nowMs + this.#leadMs;
  }

  /** The kernel tells hundredths of a second: a lead that shrinks is only rounded. */
  #look(nowMs: number): void {
    this.#lookedAtMs = nowMs;
    const uptimeMs = Number.parseFloat(this.#readUptime()) * SECOND_MS;
    if (Number.isFinite(uptimeMs)) this.#leadMs = Math.max(this.#leadMs, uptimeMs - nowMs);
  }
}

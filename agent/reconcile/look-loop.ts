/**
 * When to look: as soon as something has changed, and every ten seconds. One look at a time, and looking takes at most a twentieth
 * of the time, whatever changes. A key of a work queue, and who asks whether anything has changed.
 */
import { type Again, WorkQueue } from "./work-queue.ts";

const TICK_MS = 250;
const ROUND_MS = 10_000;
/** Longest part of the time that is spent on looking, unless somebody asks. */
const MOST_OF_TIME = 1 / 20;
/** A look that had much to mend was long, and is no reason to be blind for as long. */
const LONGEST_PAUSE_MS = 2_000;

export interface LookLoopOptions {
  /** Since it was asked last; cheap. */
  readonly hasChanged: () => boolean;
  /** Returns true when another look should follow soon. */
  readonly look: () => Promise<boolean>;
  readonly onFailure: (thrown: unknown) => void;
  readonly tickMs?: number;
  readonly roundMs?: number;
}

/** The only key. */
const LOOK = "look";

export class LookLoop {
  readonly #options: LookLoopOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #queue: WorkQueue;
  /** Another look should follow soon: with the next tick. */
  #isDue = true;

  constructor(options: LookLoopOptions) {
    this.#options = options;
    const { tickMs = TICK_MS, roundMs = ROUND_MS } = options;
    // A look that fails is no work that failed: the next one follows as after any other.
    this.#queue = new WorkQueue({
      limits: { firstMs: roundMs, mostMs: roundMs },
      work: () => this.#look(roundMs),
    });
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** Looks when it has rested enough. */
  request(): void {
    this.#queue.want(LOOK);
  }

  /** Looks now, after the look that is under way, and until nothing more follows soon. */
  async now(): Promise<void> {
    for (let looks = 0; looks < 2; looks++) {
      await this.#queue.wantNow(LOOK);
      if (!this.#isDue) return;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#queue.close();
  }

  #tick(): void {
    if (this.#queue.isRunning(LOOK) || this.#queue.isResting(LOOK)) return;
    if (this.#asks() || this.#isDue) this.request();
  }

  #asks(): boolean {
    try {
      return this.#options.hasChanged();
    } catch (thrown) {
      this.#options.onFailure(thrown);
      return false;
    }
  }

  async #look(roundMs: number): Promise<Again> {
    const startedAt = performance.now();
    this.#isDue = false;
    try {
      this.#isDue = await this.#options.look();
    } catch (thrown) {
      this.#options.onFailure(thrown);
    }
    const lookedMs = performance.now() - startedAt;
    const pauseMs = Math.min(lookedMs * (1 / MOST_OF_TIME - 1), LONGEST_PAUSE_MS);
    return { inMs: roundMs - lookedMs, restMs: this.#isDue ? 0 : pauseMs };
  }
}

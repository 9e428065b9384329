/**
 * When to look: as soon as something has changed, and every ten seconds. One look at a time, and looking takes at most a twentieth
 * of the time, whatever changes.
 */

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

export class LookLoop {
  readonly #options: LookLoopOptions;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | null = null;
  #isDue = true;
  #notBefore = 0;
  #nextRound = 0;

  constructor(options: LookLoopOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), options.tickMs ?? TICK_MS);
  }

  /** Looks now, after the look that is under way, and until nothing more follows soon. */
  async now(): Promise<void> {
    await this.#running;
    for (let looks = 0; looks < 2; looks++) {
      await this.#start();
      if (!this.#isDue) return;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  #tick(): void {
    const now = performance.now();
    if (this.#running !== null || now < this.#notBefore) return;
    if (this.#asks() || this.#isDue || now >= this.#nextRound) void this.#start();
  }

  #asks(): boolean {
    try {
      return this.#options.hasChanged();
    } catch (thrown) {
      this.#options.onFailure(thrown);
      return false;
    }
  }

  #start(): Promise<void> {
    this.#running ??= this.#look().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #look(): Promise<void> {
    const startedAt = performance.now();
    this.#nextRound = startedAt + (this.#options.roundMs ?? ROUND_MS);
    this.#isDue = false;
    try {
      this.#isDue = await this.#options.look();
    } catch (thrown) {
      this.#options.onFailure(thrown);
    }
    const endedAt = performance.now();
    const pauseMs = Math.min((endedAt - startedAt) * (1 / MOST_OF_TIME - 1), LONGEST_PAUSE_MS);
    this.#notBefore = this.#isDue ? 0 : endedAt + pauseMs;
  }
}

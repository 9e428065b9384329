/**
 * Notices within a quarter of a second that somebody changed the rules of this node, and has ours looked at.
 *
 * Whoever flushes the ruleset opens networks to each other, so the round of ten seconds is too seldom for it. The kernel counts
 * the ruleset's generations; asking for the number is one exchange of some microseconds. The number grows with our own changes as
 * well, with each published port for instance, so looking takes at most a twentieth of the time.
 */

const INTERVAL_MS = 250;
/** Longest part of the time that is spent on looking. */
const MOST_OF_TIME = 1 / 20;

export interface RulesetWatchOptions {
  /** True while rules are being made: what is there then is on its way, and is looked at afterwards. */
  readonly isBusy: () => boolean;
  /** The number of the ruleset's present generation. */
  readonly generation: () => number;
  /** Mends what is wrong with the rules; says whether anything was. It must see to its own failures. */
  readonly mend: () => boolean;
  /** Something was wrong: more than the rules may be. */
  readonly onDamage: () => void;
  /** Milliseconds. Default: a monotonic clock. */
  readonly now?: () => number;
}

export class RulesetWatch {
  readonly #options: RulesetWatchOptions;
  readonly #now: () => number;
  /** Of the rules as they were when they were looked at. */
  #generation: number | null = null;
  #notBefore = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: RulesetWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), INTERVAL_MS);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** One look, if there is anything new to see and it is time for it. */
  look(): void {
    const { isBusy, generation, mend, onDamage } = this.#options;
    const startedAt = this.#now();
    if (startedAt < this.#notBefore || isBusy()) return;
    const current = generation();
    if (current === this.#generation) return;
    const wasWrong = mend();
    // What was committed after `current`, by us or by others, is looked at once more.
    this.#generation = current;
    const endedAt = this.#now();
    this.#notBefore = endedAt + (endedAt - startedAt) * (1 / MOST_OF_TIME - 1);
    if (wasWrong) onDamage();
  }
}

/**
 * One question to several upstreams, as patient as those who ask: the next one is asked when those before it failed, or have
 * said nothing for a second; all that were asked are listened to until one answers.
 *
 * A server that looks something up for the first time may take seconds, and then has the answer. Who gave it up after two
 * would never get it, and the asker's own time limit, five seconds as a rule, would be spent on others.
 */
import { RESPONSE_CODES } from "../../../lib/dns/header.ts";
import type { Upstream } from "./servers.ts";

export interface RaceTimes {
  /** How long an upstream may be silent before the next one is asked, too. */
  readonly nextAfterMs: number;
  /** For all upstreams together. */
  readonly totalMs: number;
}

export interface Race extends RaceTimes {
  /** In the order in which they are asked. */
  readonly upstreams: readonly Upstream[];
  /** Asks one. Rejects when it cannot be reached, or the signal came. */
  readonly ask: (upstream: Upstream, signal: AbortSignal) => Promise<Uint8Array>;
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface RaceResult {
  /** The first answer that says something; else the last that said that it cannot; null when there was none. */
  readonly answer: Uint8Array | null;
  /** Who was silent as long as it takes to ask the next, or could not be reached. */
  readonly silent: readonly Upstream[];
  readonly answered: readonly Upstream[];
}

const TRY_NEXT_CODES: readonly number[] = [
  RESPONSE_CODES.serverFailure,
  RESPONSE_CODES.refused,
  RESPONSE_CODES.notImplemented,
];

/** Never rejects, and takes `totalMs` at most. */
export function race(options: Race): Promise<RaceResult> {
  return new Promise((resolve) => new Runner(options, resolve).start());
}

class Runner {
  readonly #options: Race;
  readonly #resolve: (result: RaceResult) => void;
  readonly #over = new AbortController();
  readonly #waiting: Upstream[];
  readonly #silent = new Set<Upstream>();
  readonly #answered = new Set<Upstream>();
  readonly #asked = new Set<Upstream>();
  #unhelpful: Uint8Array | null = null;
  #total: NodeJS.Timeout | undefined;
  #next: NodeJS.Timeout | undefined;
  readonly #abort = (): void => this.#end(null);

  constructor(options: Race, resolve: (result: RaceResult) => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#waiting = [...options.upstreams];
  }

  start(): void {
    const { signal, totalMs } = this.#options;
    this.#total = setTimeout(() => this.#end(null), totalMs);
    signal.addEventListener("abort", this.#abort);
    if (signal.aborted) this.#end(null);
    else this.#askNext();
  }

  #askNext(): void {
    if (this.#over.signal.aborted) return;
    clearTimeout(this.#next);
    const upstream = this.#waiting.shift();
    if (upstream === undefined) {
      // Nobody is left who might still answer.
      if (this.#asked.size === 0) this.#end(null);
      return;
    }
    this.#next = setTimeout(() => this.#wasSilent(upstream), this.#options.nextAfterMs);
    this.#asked.add(upstream);
    this.#options.ask(upstream, this.#over.signal).then(
      (answer) => this.#take(upstream, answer),
      () => this.#failed(upstream),
    );
  }

  #wasSilent(upstream: Upstream): void {
    if (this.#asked.has(upstream)) this.#silent.add(upstream);
    this.#askNext();
  }

  #take(upstream: Upstream, answer: Uint8Array): void {
    if (this.#over.signal.aborted) return;
    this.#asked.delete(upstream);
    this.#silent.delete(upstream);
    this.#answered.add(upstream);
    const isUnhelpful = TRY_NEXT_CODES.includes((answer[3] ?? 0) & 15);
    if (!isUnhelpful) {
      this.#end(answer);
      return;
    }
    this.#unhelpful = answer;
    this.#askNext();
  }

  #failed(upstream: Upstream): void {
    if (this.#over.signal.aborted) return;
    this.#asked.delete(upstream);
    this.#silent.add(upstream);
    this.#askNext();
  }

  #end(answer: Uint8Array | null): void {
    if (this.#over.signal.aborted) return;
    clearTimeout(this.#total);
    clearTimeout(this.#next);
    this.#options.signal.removeEventListener("abort", this.#abort);
    this.#over.abort();
    this.#resolve({
      answer: answer ?? this.#unhelpful,
      silent: [...this.#silent],
      answered: [...this.#answered],
    });
  }
}

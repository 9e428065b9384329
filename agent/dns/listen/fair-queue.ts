/**
 * The queries of all networks on one thread, each network and each asker by turns: who asks much waits for himself, not the
 * others for him.
 *
 * The first few of a network are done as they come. What is more is put off to the next turn of the event loop, into a line
 * for each asker, of which there is one for each network: from each network in turn, from each of its askers in turn, one. A
 * line that is full takes no more. Who is alone gets everything.
 */
import { performance } from "node:perf_hooks";

export interface FairLimits {
  /** Of a network, done at once in one turn of the event loop. */
  readonly atOnce: number;
  /** Put off for one asker. */
  readonly perAsker: number;
  readonly perAskerBytes: number;
  /** Put off for everybody. */
  readonly totalBytes: number;
  /** Longest time that is worked before the event loop goes on. */
  readonly sliceMs: number;
}

const FAIR_LIMITS: FairLimits = {
  atOnce: 16,
  perAsker: 128,
  perAskerBytes: 64 * 1024,
  totalBytes: 16 * 1024 * 1024,
  sliceMs: 2,
};

/** Whose turn it is to be. */
export interface Turn {
  readonly networkName: string;
  /** One asker of the network: its address. */
  readonly asker: string;
}

export interface Work {
  readonly sizeBytes: number;
  /** Must not throw. */
  run(): void;
}

interface Line {
  readonly work: Work[];
  sizeBytes: number;
}

export interface FairQueueOptions {
  readonly limits?: FairLimits;
  /** Milliseconds since any fixed moment. */
  readonly now?: () => number;
  /** Has something done in the next turn of the event loop. */
  readonly nextTurn?: (action: () => void) => void;
}

export class FairQueue {
  readonly #limits: FairLimits;
  readonly #now: () => number;
  readonly #nextTurn: (action: () => void) => void;
  /** Network → how many were done at once in this turn. */
  readonly #atOnce = new Map<string, number>();
  /** Network → asker → what waits. The first in a map is next. Nothing empty is kept. */
  readonly #lines = new Map<string, Map<string, Line>>();
  #sizeBytes = 0;
  #isTurnAwaited = false;

  constructor({ limits = FAIR_LIMITS, now, nextTurn }: FairQueueOptions = {}) {
    this.#limits = limits;
    this.#now = now ?? (() => performance.now());
    this.#nextTurn = nextTurn ?? ((action) => void setImmediate(action));
  }

  /** False: its asker has too much waiting, and this is not done. */
  submit(turn: Turn, work: Work): boolean {
    const { networkName } = turn;
    const done = this.#atOnce.get(networkName) ?? 0;
    if (done >= this.#limits.atOnce || this.#lines.has(networkName)) return this.#putOff(turn, work);
    this.#atOnce.set(networkName, done + 1);
    this.#awaitTurn();
    work.run();
    return true;
  }

  #putOff({ networkName, asker }: Turn, work: Work): boolean {
    const askers = this.#lines.get(networkName) ?? new Map<string, Line>();
    const line = askers.get(asker) ?? { work: [], sizeBytes: 0 };
    const { perAsker, perAskerBytes, totalBytes } = this.#limits;
    const isFull = line.work.length >= perAsker || line.sizeBytes + work.sizeBytes > perAskerBytes;
    if (isFull || this.#sizeBytes + work.sizeBytes > totalBytes) return false;
    line.work.push(work);
    line.sizeBytes += work.sizeBytes;
    this.#sizeBytes += work.sizeBytes;
    this.#lines.set(networkName, askers.set(asker, line));
    this.#awaitTurn();
    return true;
  }

  #awaitTurn(): void {
    if (this.#isTurnAwaited) return;
    this.#isTurnAwaited = true;
    this.#nextTurn(() => this.#work());
  }

  #work(): void {
    this.#isTurnAwaited = false;
    this.#atOnce.clear();
    const until = this.#now() + this.#limits.sliceMs;
    while (this.#lines.size > 0) {
      this.#takeNext()?.run();
      if (this.#now() >= until) break;
    }
    if (this.#lines.size > 0) this.#awaitTurn();
  }

  /** Of the network whose turn it is, of the asker whose turn it is there, the oldest. Both go to the end of their lines. */
  #takeNext(): Work | undefined {
    const [[networkName, askers] = ["", new Map<string, Line>()]] = this.#lines;
    const [[asker, line] = ["", null]] = askers;
    const work = line?.work.shift();
    if (line === null || work === undefined) return undefined;
    line.sizeBytes -= work.sizeBytes;
    this.#sizeBytes -= work.sizeBytes;
    askers.delete(asker);
    if (line.work.length > 0) askers.set(asker, line);
    this.#lines.delete(networkName);
    if (askers.size > 0) this.#lines.set(networkName, askers);
    return work;
  }
}

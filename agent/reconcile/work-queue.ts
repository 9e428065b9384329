/**
 * Work by keys: each at most once at a time, again after a pause when it failed, and to its end when the queue is closed.
 *
 * The one mechanism of all that the agent tries again. A key is an object that is to be brought in order: a network, an address to
 * listen on, a place for a process, or one for a whole round. What is wished of it while it waits or runs is merged with what was
 * wished before. After a failure, or when its work asks for it, a key rests, and a wish waits for the end of that; an urgent wish
 * does not. Keys do not wait for each other.
 */

import { type PauseLimits, Pauses } from "../../lib/pauses.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import type { Problems } from "./problems.ts";

/** Done, and the same is wished again by itself. */
export interface Again {
  readonly inMs: number;
  /** So long no wish begins before its time, unless it is urgent. Default: 0. */
  readonly restMs?: number;
}

/**
 * Nothing: done, what failed before is forgotten. "handed-on": somebody else does it, and says {@link WorkQueue.failed} or
 * {@link WorkQueue.forget}; until then the key remembers how often it failed.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: what a function without a result returns.
export type Outcome = void | "handed-on" | Again;

interface Failure {
  readonly key: string;
  readonly thrown: unknown;
  readonly againInMs: number;
}

export interface WorkQueueOptions<Wish> {
  /** How long a key rests after a failure. */
  readonly limits: PauseLimits;
  /** Rejects when it could not be done: it is tried again, with what was wished meanwhile. */
  readonly work: (key: string, wish: Wish) => Outcome | Promise<Outcome>;
  /** Default: the later wish alone. */
  readonly merge?: (before: Wish, later: Wish) => Wish;
  /** It succeeded, and the key is free for what comes. Must not throw. */
  readonly onSuccess?: (key: string) => void;
  /** Must not throw. */
  readonly onFailure?: (failure: Failure) => void;
  /** Holds what {@link problemOf} says of a failure until the key succeeds or is forgotten. */
  readonly problems?: Problems;
  /** Null: one that is told of elsewhere. */
  readonly problemOf?: (thrown: unknown, key: string) => AgentProblem | null;
}

/** What is wished of a key, and what has been going on with it. */
class Entry<Wish> {
  wish: { readonly value: Wish; readonly dueAtMs: number; readonly isUrgent: boolean } | null = null;
  readonly pauses: Pauses;
  restsUntilMs = 0;
  /** It failed, and has not succeeded since. */
  hasFailed = false;
  running: Promise<void> | null = null;
  timer: NodeJS.Timeout | undefined;
  /** Resolved at the end of the piece of work that begins next. */
  waiters: (() => void)[] = [];
  /** What runs since before it was forgotten says nothing about it. */
  timesForgotten = 0;

  constructor(limits: PauseLimits) {
    this.pauses = new Pauses(limits);
  }

  get isIdle(): boolean {
    return this.wish === null && this.running === null;
  }

  get isOfNoInterest(): boolean {
    return this.isIdle && !this.hasFailed;
  }

  calmDown(): void {
    this.hasFailed = false;
    this.pauses.reset();
  }

  /** Returns for how long it rests from now on. */
  restAfterFailure(): number {
    this.hasFailed = true;
    const againInMs = this.pauses.next();
    this.restsUntilMs = performance.now() + againInMs;
    return againInMs;
  }
}

export class WorkQueue<Wish = void> {
  readonly #options: WorkQueueOptions<Wish>;
  readonly #entries = new Map<string, Entry<Wish>>();
  #idleWaiters: (() => void)[] = [];
  #isClosed = false;

  constructor(options: WorkQueueOptions<Wish>) {
    this.#options = options;
  }

  /** Nothing runs, and nothing waits. */
  get isIdle(): boolean {
    return [...this.#entries.values()].every((entry) => entry.isIdle);
  }

  isRunning(key: string): boolean {
    return (this.#entries.get(key)?.running ?? null) !== null;
  }

  /** Whether something is wished that has not begun. */
  isWanted(key: string): boolean {
    return (this.#entries.get(key)?.wish ?? null) !== null;
  }

  /** Whether a wish would have to wait, unless it is urgent. */
  isResting(key: string): boolean {
    return performance.now() < (this.#entries.get(key)?.restsUntilMs ?? 0);
  }

  /** At once, or when the key has rested. */
  want(key: string, wish: Wish): void {
    if (this.#isClosed) return;
    const entry = this.#entry(key);
    this.#put(entry, { value: wish, dueAtMs: 0, isUrgent: false });
    this.#schedule(key, entry);
  }

  /** At once, whether the key rests or not. Resolves when a piece of work has ended that began after this call. */
  wantNow(key: string, wish: Wish): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const entry = this.#entry(key);
    const ended = new Promise<void>((resolve) => entry.waiters.push(resolve));
    this.#put(entry, { value: wish, dueAtMs: 0, isUrgent: true });
    this.#schedule(key, entry);
    return ended;
  }

  /** What was handed on has failed: it is wished again when it has rested. */
  failed(key: string, { thrown, wish }: { readonly thrown: unknown; readonly wish: Wish }): void {
    if (this.#isClosed) return;
    const entry = this.#entry(key);
    this.#takeFailure(key, thrown, wish);
    this.#schedule(key, entry);
  }

  /** It ran well for long: the failure that comes is the first one again. */
  calm(key: string): void {
    this.#entries.get(key)?.calmDown();
  }

  /** It is in order, or gone: nothing is wished of it any more. What runs for it goes on; whether it fails is of no interest. */
  forget(key: string): void {
    this.#drop(key);
    this.#options.problems?.clear(key);
  }

  /** Forgets all other keys. To be called with all that there are: what is missing for want of evidence is not gone. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of [...this.#entries.keys()]) if (!keys.has(key)) this.#drop(key);
  }

  /** Resolves when nothing runs and nothing waits, or the queue is closed. */
  idle(): Promise<void> {
    if (this.isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Begins nothing any more, and waits for what runs. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const entries = [...this.#entries.values()];
    for (const entry of entries) this.#withdraw(entry);
    await Promise.all(entries.map(({ running }) => running));
    this.#tellIdle();
  }

  #entry(key: string): Entry<Wish> {
    const known = this.#entries.get(key);
    if (known) return known;
    const entry = new Entry<Wish>(this.#options.limits);
    this.#entries.set(key, entry);
    return entry;
  }

  /** Beside what waits already; the sooner counts. */
  #put(entry: Entry<Wish>, later: NonNullable<Entry<Wish>["wish"]>): void {
    const { merge = (_before: Wish, value: Wish) => value } = this.#options;
    const before = entry.wish;
    entry.wish =
      before === null
        ? later
        : {
            value: merge(before.value, later.value),
            dueAtMs: Math.min(before.dueAtMs, later.dueAtMs),
            isUrgent: before.isUrgent || later.isUrgent,
          };
  }

  #schedule(key: string, entry: Entry<Wish>): void {
    clearTimeout(entry.timer);
    if (entry.wish === null || entry.running !== null || this.#isClosed) return;
    const { isUrgent, dueAtMs } = entry.wish;
    const waitMs = Math.ceil(Math.max(dueAtMs, entry.restsUntilMs) - performance.now());
    if (isUrgent || waitMs <= 0) this.#start(key, entry);
    else entry.timer = setTimeout(() => this.#start(key, entry), waitMs).unref();
  }

  #start(key: string, entry: Entry<Wish>): void {
    const { wish, waiters } = entry;
    if (wish === null) return;
    [entry.wish, entry.waiters] = [null, []];
    const running = Promise.withResolvers<void>();
    entry.running = running.promise;
    void this.#work(key, wish.value).then((hasSucceeded) => {
      entry.running = null;
      running.resolve();
      for (const resolve of waiters) resolve();
      if (hasSucceeded) this.#options.onSuccess?.(key);
      this.#goOn(key, entry);
    });
  }

  /** Returns whether it succeeded; never rejects. */
  async #work(key: string, wish: Wish): Promise<boolean> {
    const { timesForgotten } = this.#entry(key);
    const isForgotten = (): boolean => this.#entry(key).timesForgotten !== timesForgotten;
    try {
      const outcome = await this.#options.work(key, wish);
      if (isForgotten() || outcome === "handed-on") return false;
      this.#takeSuccess(key, wish, outcome);
      return true;
    } catch (thrown) {
      if (!isForgotten()) this.#takeFailure(key, thrown, wish);
      return false;
    }
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: as Outcome.
  #takeSuccess(key: string, wish: Wish, again: Again | void): void {
    const entry = this.#entry(key);
    entry.calmDown();
    this.#options.problems?.clear(key);
    entry.restsUntilMs = 0;
    if (!again) return;
    const now = performance.now();
    entry.restsUntilMs = now + (again.restMs ?? 0);
    this.#put(entry, { value: wish, dueAtMs: now + again.inMs, isUrgent: false });
  }

  /** Everything that is wished waits now, what came meanwhile as well. */
  #takeFailure(key: string, thrown: unknown, wish: Wish): void {
    const entry = this.#entry(key);
    const { wish: meanwhile } = entry;
    const againInMs = entry.restAfterFailure();
    entry.wish = { value: wish, dueAtMs: entry.restsUntilMs, isUrgent: false };
    if (meanwhile !== null) this.#put(entry, { ...meanwhile, isUrgent: false });
    const problem = this.#options.problemOf?.(thrown, key) ?? null;
    if (problem !== null) this.#options.problems?.put(key, problem);
    this.#options.onFailure?.({ key, thrown, againInMs });
  }

  #goOn(key: string, entry: Entry<Wish>): void {
    if (this.#isClosed) this.#withdraw(entry);
    this.#schedule(key, entry);
    if (entry.isOfNoInterest) this.#entries.delete(key);
    this.#tellIfIdle();
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#withdraw(entry);
    entry.calmDown();
    entry.restsUntilMs = 0;
    entry.timesForgotten++;
    if (entry.running === null) this.#entries.delete(key);
    this.#tellIfIdle();
  }

  #withdraw(entry: Entry<Wish>): void {
    clearTimeout(entry.timer);
    entry.wish = null;
    for (const resolve of entry.waiters.splice(0)) resolve();
  }

  /** Nobody waits, most of the time: then the entries are not looked through. */
  #tellIfIdle(): void {
    if (this.#idleWaiters.length > 0 && this.isIdle) this.#tellIdle();
  }

  #tellIdle(): void {
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }
}

/**
 * How far something has come along the service's log: "everything up to this revision is done", and who waits for it.
 *
 * After {@link Progress.restart} revisions may be those of another log: nothing of it is done.
 */
interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
}

/** Before anything: no revision is done, not even 0. */
const NOTHING = -1;

export class Progress {
  #revision: number;
  #waiters: Waiter[] = [];

  /** @param revision up to where everything is done before anything has begun; by default not even 0 is. */
  constructor(revision: number = NOTHING) {
    this.#revision = revision;
  }

  /** Up to where everything is done; below zero while nothing is. */
  get revision(): number {
    return this.#revision;
  }

  /** Resolves when everything up to `revision` is done, or at {@link close}. Never, if nothing gets there. */
  reached(revision: number): Promise<void> {
    if (this.#revision >= revision) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ revision, resolve }));
  }

  /** Everything up to `revision` is done. A lower one than before is of another log. */
  advance(revision: number): void {
    this.#revision = revision;
    const due = this.#waiters.filter((waiter) => waiter.revision <= revision);
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > revision);
    for (const { resolve } of due) resolve();
  }

  /** Nothing is done any more. Whoever waits goes on waiting. */
  restart(): void {
    this.#revision = NOTHING;
  }

  /** Lets everybody go who waits. */
  close(): void {
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }
}

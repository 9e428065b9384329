/** What a daemon has opened, and how it is all closed again: at its end, or when its start fails half-way. */
import { combineErrors } from "../errors.ts";

/** Closes what was opened, newest first; each once. */
export class Closers {
  readonly #closers: (() => Promise<void>)[] = [];
  #closed: Promise<void> | null = null;

  add(close: () => Promise<void>): void {
    this.#closers.unshift(close);
  }

  /**
   * Idempotent. One that fails does not keep the others open.
   * @throws what went wrong, after all were tried.
   */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    const errors: unknown[] = [];
    for (const close of this.#closers) {
      try {
        await close();
      } catch (thrown) {
        errors.push(thrown);
      }
    }
    if (errors.length > 0) throw combineErrors("close", "what was opened", errors);
  }
}

/**
 * Runs `start`, which adds to the closers what it opens. When it fails, nothing is left open.
 *
 * @throws what `start` threw; `multiple`, with that first, when closing failed too.
 */
export async function startOrClose<T>(start: (closers: Closers) => Promise<T>): Promise<T> {
  const closers = new Closers();
  try {
    return await start(closers);
  } catch (reason) {
    const errors: unknown[] = [reason];
    await closers.close().catch((thrown: unknown) => errors.push(thrown));
    throw errors.length === 1 ? reason : combineErrors("start", "daemon", errors);
  }
}

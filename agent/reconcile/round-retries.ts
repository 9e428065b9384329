/**
 * Objects that rounds or passes bring in order, many at a time: one that could not be rests, each by its own back-off, and then the
 * round is asked to take it up again. Keys of a work queue whose work is handed on to the round.
 */
import type { PauseLimits } from "../../lib/pauses.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import type { Problems } from "./problems.ts";
import { WorkQueue } from "./work-queue.ts";

export interface RoundRetriesOptions {
  /** How long an object rests after a failure. */
  readonly limits: PauseLimits;
  /** Asks for a round that takes the object up again. Must not throw. */
  readonly askAgain: (key: string) => void;
  /** Holds what {@link problemOf} says of a failure until the object is in order or forgotten. */
  readonly problems: Problems;
  /** Null: one that is told of elsewhere, or is none. */
  readonly problemOf: (thrown: unknown, key: string) => AgentProblem | null;
}

export class RoundRetries {
  readonly #queue: WorkQueue;

  constructor({ askAgain, ...options }: RoundRetriesOptions) {
    this.#queue = new WorkQueue({
      ...options,
      work: (key) => {
        askAgain(key);
        return "handed-on";
      },
    });
  }

  /** The round could not bring it in order. */
  failed(key: string, thrown: unknown): void {
    this.#queue.failed(key, { thrown, wish: undefined });
  }

  /** Whether a round should leave it alone for now. */
  isResting(key: string): boolean {
    return this.#queue.isResting(key);
  }

  /** It is in order, or gone. */
  forget(key: string): void {
    this.#queue.forget(key);
  }

  /** Forgets all others, but for their problems. To be called with all that there are. */
  keepOnly(keys: ReadonlySet<string>): void {
    this.#queue.keepOnly(keys);
  }

  /** Asks for nothing any more. Idempotent. */
  close(): Promise<void> {
    return this.#queue.close();
  }
}

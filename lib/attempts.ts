/**
 * Steps that are all tried, whatever becomes of the others: DEL, GC, clean-up.
 */
import { combineErrors } from "./errors.ts";

export class Attempts {
  readonly #errors: unknown[] = [];

  get failed(): boolean {
    return this.#errors.length > 0;
  }

  /** Runs a step; what it throws is kept for {@link throwIfFailed}. */
  run(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#errors.push(error);
    }
  }

  /**
   * @throws FairleadError the only error as it is, several as `multiple` with every message in it.
   */
  throwIfFailed(operation: string, object: string): void {
    if (this.failed) throw combineErrors(operation, object, this.#errors);
  }
}

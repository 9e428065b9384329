/**
 * Undo steps of a half-done change, newest first.
 *
 * Each step that touches the outside pushes its inverse right after it succeeded. When a later step fails,
 * {@link UndoStack.unwind} runs them all, in reverse order, and goes on past those that fail themselves.
 */
export class UndoStack {
  #steps: UndoStep[] = [];

  /** `name` says what the step takes back ("delete link vethab12"), for the error when it fails. */
  push(name: string, undo: () => void): void {
    this.#steps.push({ name, undo, needsAllBefore: false });
  }

  /**
   * Like {@link push}, for what must not be given back while anything may still use it: the step is left out, and counts
   * as failed, when a step that was to be undone before it failed.
   */
  pushGuarded(name: string, undo: () => void): void {
    this.#steps.push({ name, undo, needsAllBefore: true });
  }

  /** Forgets every step: what was done stays. */
  commit(): void {
    this.#steps = [];
  }

  /** Runs every step and returns what went wrong, oldest failure first. Never throws. */
  unwind(): Error[] {
    const errors: Error[] = [];
    for (const step of this.#steps.reverse()) {
      try {
        if (step.needsAllBefore && errors.length > 0)
          throw new Error("left out, because a step before it failed");
        step.undo();
      } catch (cause) {
        errors.push(
          new Error(`undo: ${step.name}: ${cause instanceof Error ? cause.message : cause}`, { cause }),
        );
      }
    }
    this.#steps = [];
    return errors;
  }
}

interface UndoStep {
  readonly name: string;
  readonly undo: () => void;
  readonly needsAllBefore: boolean;
}

/**
 * Runs `action` with a stack for its inverses. When it fails they are run, and what goes wrong with them is logged; the
 * failure itself is thrown.
 */
export function undoOnFailure<T>(log: (message: string) => void, action: (undo: UndoStack) => T): T {
  const undo = new UndoStack();
  try {
    return action(undo);
  } catch (error) {
    for (const failure of undo.unwind()) log(failure.message);
    throw error;
  }
}

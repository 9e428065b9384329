/**
 * Undo steps of a half-done change, newest first.
 *
 * Each step that touches the outside pushes its inverse right after it succeeded. When a later step fails,
 * {@link UndoStack.unwind} runs them all, in reverse order, and goes on past those that fail themselves.
 */
export class UndoStack {
  #steps: { name: string; undo: () => void }[] = [];

  /** `name` says what the step takes back ("delete link vethab12"), for the error when it fails. */
  push(name: string, undo: () => void): void {
    this.#steps.push({ name, undo });
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

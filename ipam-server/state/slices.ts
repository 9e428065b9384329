/** Long reads in slices: whoever wants a change meanwhile waits for one of them at most. */
import { setImmediate as nextTurn } from "node:timers/promises";

/** Things looked at in one go; about a millisecond. */
const SLICE_STEPS = 128;

/**
 * What `steps` yields, in slices, with a turn of the event loop between two. A step that finds nothing yields undefined: so a search that
 * finds little pauses as often as one that finds all. The first slice comes at once.
 */
export async function* inSlices<T>(steps: Iterator<T | undefined>): AsyncGenerator<readonly T[]> {
  for (;;) {
    const { found, isDone } = takeSlice(steps);
    if (found.length > 0) yield found;
    if (isDone) return;
    await nextTurn();
  }
}

function takeSlice<T>(steps: Iterator<T | undefined>): { found: T[]; isDone: boolean } {
  const found: T[] = [];
  for (let at = 0; at < SLICE_STEPS; at += 1) {
    const { done, value } = steps.next();
    if (done === true) return { found, isDone: true };
    if (value !== undefined) found.push(value);
  }
  return { found, isDone: false };
}

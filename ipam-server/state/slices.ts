/**
 * Long reads in slices: whoever wants a change meanwhile waits for one of them at most.
 *
 * A slice ends by the clock, because steps cost from one microsecond (a record) to a hundred (a page of the store). While changes are
 * wanted, a rest follows each slice: a reader that went on at once would have half of the processor, and its client, which reads what it
 * is sent, the other one. Nobody asks for changes: nobody rests.
 */
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";

/** How long a slice may take, in milliseconds. */
const SLICE_MS = 0.1;
/** Steps between two looks at the clock. */
const STEPS_A_LOOK = 4;
/** The shortest that a timer can be set to, in milliseconds. */
const REST_MS = 1;

/** Who may want a change while something long is read. */
export interface Demand {
  /** Groups of changes that have been begun: more than at the last look say that somebody does. */
  readonly groups: number;
}

/** Between two slices. */
export class Breather {
  readonly #demand: Demand;
  #seen: number;

  constructor(demand: Demand) {
    this.#demand = demand;
    this.#seen = demand.groups;
  }

  /** Lets others have their turn; for longer when one of them has changed something since the last time. */
  async breathe(): Promise<void> {
    const { groups } = this.#demand;
    if (groups === this.#seen) await nextTurn();
    else await pause(REST_MS);
    this.#seen = groups;
  }
}

/**
 * What `steps` yields, in slices with a breath between two. A step that finds nothing yields undefined: so a search that
 * finds little pauses as often as one that finds all. The first slice comes at once.
 */
export async function* inSlices<T>(
  steps: Iterator<T | undefined>,
  demand: Demand,
): AsyncGenerator<readonly T[]> {
  const breather = new Breather(demand);
  for (;;) {
    const { found, isDone } = takeSlice(steps);
    if (found.length > 0) yield found;
    if (isDone) return;
    await breather.breathe();
  }
}

function takeSlice<T>(steps: Iterator<T | undefined>): { found: T[]; isDone: boolean } {
  const found: T[] = [];
  const endsAt = performance.now() + SLICE_MS;
  do {
    for (let at = 0; at < STEPS_A_LOOK; at += 1) {
      const { done, value } = steps.next();
      if (done === true) return { found, isDone: true };
      if (value !== undefined) found.push(value);
    }
  } while (performance.now() < endsAt);
  return { found, isDone: false };
}

/** Makes a history that fails shorter. */
import type { History, Step } from "./history.ts";

/** Plays a history, as often as it takes to believe that it does not fail. */
export type Fails = (history: History) => Promise<boolean>;

/**
 * Leaves out steps, first half of them at once, then fewer, at last one at a time, single calls of those that are made at
 * once, and what befell a process meanwhile, as long as what remains still fails.
 * @returns the shortest history that was found to fail; `history` itself when every step is needed.
 */
export async function shrink(history: History, fails: Fails): Promise<History> {
  let shortest = history;
  for (let size = Math.ceil(history.length / 2); ; size = Math.ceil(size / 2)) {
    shortest = await leaveOut(shortest, size, fails);
    if (size <= 1) return leaveOutStrikes(await leaveOutCalls(shortest, fails), fails);
  }
}

async function leaveOutStrikes(history: History, fails: Fails): Promise<History> {
  let shortest = history;
  for (const [at, step] of history.entries()) {
    if (step.kind !== "call" || step.meanwhile === undefined) continue;
    const { kind, calls } = step;
    const without = shortest.with(at, { kind, calls });
    if (await fails(without)) shortest = without;
  }
  return shortest;
}

async function leaveOutCalls(history: History, fails: Fails): Promise<History> {
  let shortest = history;
  for (const [at, step] of history.entries()) {
    for (const call of step.kind === "call" ? step.calls : []) {
      const without = shortest.with(at, withoutCall(shortest[at] ?? step, call));
      if (isEmpty(without[at]) || !(await fails(without))) continue;
      shortest = without;
    }
  }
  return shortest;
}

function withoutCall(step: Step, call: object): Step {
  return step.kind === "call" ? { ...step, calls: step.calls.filter((each) => each !== call) } : step;
}

function isEmpty(step: Step | undefined): boolean {
  return step?.kind === "call" && step.calls.length === 0;
}

/** Runs of `size` steps, from the end. */
async function leaveOut(history: History, size: number, fails: Fails): Promise<History> {
  let shortest = history;
  for (let at = Math.floor((history.length - 1) / size) * size; at >= 0; at -= size) {
    const without = [...shortest.slice(0, at), ...shortest.slice(at + size)];
    if (without.length < shortest.length && (await fails(without))) shortest = without;
  }
  return shortest;
}

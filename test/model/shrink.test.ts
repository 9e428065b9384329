import type { History, Step } from "./history.ts";
import { shrink } from "./shrink.ts";

const edit = (network: number): Step => ({ kind: "edit", network, edit: "plain" });
const numbers = (history: History): number[] =>
  history.flatMap((step) => (step.kind === "edit" ? [step.network] : []));

/** Fails when all of `needed` are there, in their order. */
const failsWith =
  (needed: readonly number[]) =>
  async (history: History): Promise<boolean> => {
    const left = numbers(history).filter((number) => needed.includes(number));
    return JSON.stringify(left) === JSON.stringify(needed);
  };

test.each([[[0]], [[14]], [[3, 9]], [[0, 7, 14]], [[1, 2, 3]]])("%j is what is left", async (needed) => {
  const history = Array.from({ length: 15 }, (_, at) => edit(at));
  expect(numbers(await shrink(history, failsWith(needed)))).toEqual(needed);
});

test("of calls that are made at once those stay that are needed", async () => {
  const calls = ([0, 1, 2] as const).map((who) => ({ verb: "ADD", who }) as const);
  const history: History = [edit(0), { kind: "call", calls }];
  const needsOne = async (one: History): Promise<boolean> =>
    one.some((step) => step.kind === "call" && step.calls.some(({ who }) => who === 1));
  expect(await shrink(history, needsOne)).toEqual([{ kind: "call", calls: [calls[1]] }]);
});

test("what befell a process meanwhile is left out where it is not needed", async () => {
  const struck = (afterMs: number): Step => ({
    kind: "call",
    calls: [{ verb: "ADD", who: afterMs }],
    meanwhile: { kind: "kill", process: "server", afterMs },
  });
  const needsSecond = async (history: History): Promise<boolean> =>
    history.length === 2 && history.some((step) => step.kind === "call" && step.meanwhile?.afterMs === 2);
  const calls = [{ verb: "ADD", who: 1 }];
  expect(await shrink([struck(1), struck(2)], needsSecond)).toEqual([{ kind: "call", calls }, struck(2)]);
});

test("a history that fails only as a whole stays, and one that fails without its steps becomes empty", async () => {
  const history = [edit(0), edit(1), edit(2)];
  expect(await shrink(history, async () => false)).toEqual(history);
  expect(await shrink(history, async () => true)).toEqual([]);
});

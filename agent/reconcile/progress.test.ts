import { settleTurns } from "../../test/support/turns.ts";
import { Progress } from "./progress.ts";

let progress: Progress;
let arrived: string[];
beforeEach(() => {
  [progress, arrived] = [new Progress(), []];
});

function wait(revision: number): void {
  void progress.reached(revision).then(() => arrived.push(`at ${revision}`));
}

test("who waits for a revision goes on when it is reached, not before", async () => {
  for (const revision of [3, 5, 0]) wait(revision);
  await settleTurns();
  expect(arrived).toEqual([]);
  progress.advance(4);
  await settleTurns();
  expect(arrived).toEqual(["at 3", "at 0"]);
  progress.advance(5);
  await settleTurns();
  expect(arrived).toEqual(["at 3", "at 0", "at 5"]);
});

test("what was done already is not waited for", async () => {
  progress.advance(7);
  wait(7);
  await settleTurns();
  expect(arrived).toEqual(["at 7"]);
});

test("after a restart nothing is done, and waiting goes on", async () => {
  progress.advance(9);
  wait(10);
  progress.restart();
  wait(2);
  await settleTurns();
  expect([progress.revision, arrived]).toEqual([-1, []]);
  progress.advance(3);
  await settleTurns();
  expect(arrived).toEqual(["at 2"]);
});

test("closing lets everybody go", async () => {
  wait(1);
  progress.close();
  await settleTurns();
  expect(arrived).toEqual(["at 1"]);
});

import { UndoStack, undoOnFailure } from "./undo.ts";

test("steps are undone newest first, past the ones that fail", () => {
  const log: string[] = [];
  const undo = new UndoStack();
  undo.push("first", () => log.push("first"));
  undo.push("second", () => {
    throw new Error("boom");
  });
  undo.push("third", () => log.push("third"));
  expect(undo.unwind().map((e) => e.message)).toEqual(["undo: second: boom"]);
  expect(log).toEqual(["third", "first"]);
  expect(undo.unwind()).toEqual([]);
});

test("what is committed stays", () => {
  const undo = new UndoStack();
  undo.push("step", () => {
    throw new Error("must not run");
  });
  undo.commit();
  expect(undo.unwind()).toEqual([]);
});

test("a guarded step runs only when everything before it was undone", () => {
  const log: string[] = [];
  const undo = new UndoStack();
  undo.pushGuarded("release", () => log.push("release"));
  undo.push("link", () => log.push("link"));
  expect(undo.unwind()).toEqual([]);
  expect(log).toEqual(["link", "release"]);
  undo.pushGuarded("release", () => log.push("release again"));
  undo.push("link", () => {
    throw new Error("busy");
  });
  expect(undo.unwind().map((e) => e.message)).toEqual([
    "undo: link: busy",
    "undo: release: left out, because a step before it failed",
  ]);
  expect(log).toEqual(["link", "release"]);
});

test("what an action did is undone when it fails, and only then", () => {
  const [done, log]: [string[], string[]] = [[], []];
  const push = (undo: UndoStack) => {
    undo.push("first", () => done.push("first"));
    undo.push("second", () => {
      throw new Error("it would not go");
    });
  };
  const note = (message: string) => void log.push(message);
  expect(
    undoOnFailure(note, (undo) => {
      push(undo);
      return "result";
    }),
  ).toBe("result");
  expect([done, log]).toEqual([[], []]);
  const fail = () =>
    undoOnFailure(note, (undo) => {
      push(undo);
      throw new Error("the cause");
    });
  expect(fail).toThrow("the cause");
  expect([done, log]).toEqual([["first"], ["undo: second: it would not go"]]);
});

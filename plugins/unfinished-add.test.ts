import type { AddRequest } from "../lib/cni/request.ts";
import { SyscallError } from "../lib/linux/calls/errno.ts";
import { UndoStack } from "../lib/undo.ts";
import { leaveWordOf } from "./unfinished-add.ts";

const key = { networkName: "net", containerId: "c1", ifname: "eth0" };

let mockWords: unknown[] = [];
let mockProblem: Error | null = null;
/** Whether no earlier ADD has left word. */
let mockIsFirst = true;
jest.mock("../lib/host/attachment/unfinished-adds.ts", () => ({
  ownNetns: () => "own",
  leaveWord: (add: unknown) => {
    if (mockProblem) throw mockProblem;
    mockWords.push(add);
    return mockIsFirst;
  },
  takeWordBack: (of: unknown) => mockWords.push(["taken back", of]),
}));
beforeEach(() => {
  mockWords = [];
  mockProblem = null;
  mockIsFirst = true;
});

function leave() {
  const log: string[] = [];
  const undo = new UndoStack();
  const env = { CNI_CONTAINERID: "c1", CNI_IFNAME: "eth0", CNI_NETNS: "/run/netns/c1", PATH: "/bin" };
  const request = { key, config: { raw: { name: "net" } }, env, undo, log: (line: string) => log.push(line) };
  const takeBack = leaveWordOf(request as unknown as AddRequest, "fairlead-bridge");
  return { log, undo, takeBack };
}

test("the word says what DEL needs, and is taken back before the result is told", () => {
  const { takeBack, log } = leave();
  const env = {
    CNI_CONTAINERID: "c1",
    CNI_IFNAME: "eth0",
    CNI_NETNS: "/run/netns/c1",
    CNI_ARGS: "",
    CNI_PATH: "",
  };
  const word = { plugin: "fairlead-bridge", key, env, config: { name: "net" }, hostNetns: "own" };
  expect(mockWords).toEqual([word]);
  takeBack();
  expect(mockWords).toEqual([word, ["taken back", key]]);
  expect(log).toEqual([]);
});

test("it is taken back with what is undone, unless something of that fails", () => {
  leave().undo.unwind();
  expect(mockWords.at(-1)).toEqual(["taken back", key]);
  mockWords = [];
  const { undo } = leave();
  undo.push("delete link", () => {
    throw new Error("it stays");
  });
  undo.unwind();
  expect(mockWords).toHaveLength(1);
});

test("the word of an earlier ADD stays when this one fails", () => {
  mockIsFirst = false;
  leave().undo.unwind();
  expect(mockWords).toHaveLength(1);
});

test("where there is no place for it the ADD goes on", () => {
  mockProblem = new SyscallError({ syscall: "open", object: "/run/fairlead", errno: 30 });
  const { takeBack, undo, log } = leave();
  takeBack();
  undo.unwind();
  expect(mockWords).toEqual([]);
  expect(log).toEqual([expect.stringContaining("going on without leaving word")]);
});

test("a fault of ours is an error", () => {
  mockProblem = new TypeError("x is not a function");
  expect(leave).toThrow(TypeError);
});

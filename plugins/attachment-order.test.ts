import type { Exec } from "../lib/cni/delegate.ts";
import { attachmentLockOffset } from "../lib/host/locks/attachments.ts";
import { SyscallError } from "../lib/linux/calls/errno.ts";
import { AttachmentLocks, passingOrderOn, runInOrder, tryHoldAttachment } from "./attachment-order.ts";

const key = { networkName: "net", containerId: "c1", ifname: "eth0" };
const OFFSET = attachmentLockOffset(key);

/** The file of locks: what is done with it, and what it says. */
let mockEvents: unknown[] = [];
let mockFile = { problem: null as Error | null, isFree: true };
jest.mock("../lib/host/locks/attachments.ts", () => ({
  ...jest.requireActual<object>("../lib/host/locks/attachments.ts"),
  openAttachmentLocks: () => {
    if (mockFile.problem) throw mockFile.problem;
    return {
      tryLock: (offset: bigint) => {
        mockEvents.push(["try", offset]);
        return mockFile.isFree;
      },
      lock: ({ offset }: { offset: bigint }) => {
        mockEvents.push(["lock", offset]);
        if (!mockFile.isFree) throw new Error("busy");
      },
      unlock: (offset: bigint) => mockEvents.push(["unlock", offset]),
      close: () => mockEvents.push("close"),
    };
  },
}));
jest.mock("../lib/linux/files/stdio.ts", () => ({
  ...jest.requireActual<object>("../lib/linux/files/stdio.ts"),
  sleepMs: () => mockEvents.push("sleep"),
}));
beforeEach(() => {
  mockEvents = [];
  mockFile = { problem: null, isFree: true };
});

const READ_ONLY = new SyscallError({ syscall: "open", object: "/run/fairlead/locks", errno: 30 });
const log = (message: string) => void mockEvents.push(message);
const action = () => {
  mockEvents.push("action");
  return 7;
};

/** What a program that is run meanwhile finds in its environment. */
function environmentOf(): string | undefined {
  let found: string | undefined;
  const exec: Exec = {
    isRegularFile: () => true,
    execFile: ({ env }) => {
      found = env["FAIRLEAD_ATTACHMENT"];
      return { status: 0, signal: null, stdout: new Uint8Array() };
    },
    sleepMs: () => undefined,
  };
  passingOrderOn(exec).execFile({ path: "/bin/x", env: {}, stdin: new Uint8Array() });
  return found;
}

test("a call runs while it holds its attachment, and lets go of it, also when it fails", () => {
  expect(runInOrder(key, { env: {}, log }, action)).toBe(7);
  expect(mockEvents).toEqual([["lock", OFFSET], "action", "close"]);
  const fail = () => {
    throw new Error("failed");
  };
  mockEvents = [];
  expect(() => runInOrder(key, { env: {}, log }, fail)).toThrow("failed");
  expect(mockEvents).toEqual([["lock", OFFSET], "close"]);
});

test("a call whose turn does not come does nothing", () => {
  mockFile.isFree = false;
  expect(() => runInOrder(key, { env: {}, log }, action)).toThrow("busy");
  expect(mockEvents).toEqual([["lock", OFFSET], "close"]);
});

test("what runs meanwhile is told what is held for it, and nothing after that", () => {
  expect(runInOrder(key, { env: {}, log }, environmentOf)).toBe(String(OFFSET));
  expect(environmentOf()).toBeUndefined();
});

test("a delegate does not wait for those who wait for it, but for others", () => {
  runInOrder(key, { env: { FAIRLEAD_ATTACHMENT: String(OFFSET) }, log }, action);
  expect(mockEvents).toEqual(["action"]);
  runInOrder(key, { env: { FAIRLEAD_ATTACHMENT: "1" }, log }, action);
  expect(mockEvents).toEqual(["action", ["lock", OFFSET], "action", "close"]);
});

test("where there is no place for locks a call runs all the same, and the log says so", () => {
  mockFile.problem = READ_ONLY;
  expect(runInOrder(key, { env: {}, log }, action)).toBe(7);
  expect(mockEvents).toEqual([expect.stringContaining("going on without knowing"), "action"]);
  expect(tryHoldAttachment(key)).toBeNull();
});

test("a fault of ours is no missing place", () => {
  mockFile.problem = new TypeError("x is not a function");
  expect(() => runInOrder(key, { env: {}, log }, action)).toThrow(TypeError);
  expect(mockEvents).toEqual([]);
});

test("one more attachment is held until it is let go of, or not at all", () => {
  const letGo = tryHoldAttachment(key);
  expect(mockEvents).toEqual([["try", OFFSET]]);
  letGo?.();
  expect(mockEvents).toEqual([["try", OFFSET], "close"]);
  mockFile.isFree = false;
  mockEvents = [];
  expect(tryHoldAttachment(key)).toBeNull();
  expect(mockEvents).toEqual([["try", OFFSET], "close"]);
});

test("a process that holds one after another lets go of each by itself", () => {
  const locks = new AttachmentLocks();
  locks.tryHold(key)?.();
  locks.hold(key)();
  expect(mockEvents).toEqual([
    ["try", OFFSET],
    ["unlock", OFFSET],
    ["lock", OFFSET],
    ["unlock", OFFSET],
  ]);
});

test("a call that is about to let go is waited for, but not for long", () => {
  const locks = new AttachmentLocks();
  expect(locks.holdSoon(key)).not.toBeNull();
  expect(mockEvents).toEqual([["try", OFFSET]]);
  mockFile.isFree = false;
  mockEvents = [];
  expect(locks.holdSoon(key)).toBeNull();
  expect(mockEvents.filter((event) => event === "sleep")).toHaveLength(50);
  expect(mockEvents.at(-1)).toEqual(["try", OFFSET]);
});

import { CONFIG, expectError, NETNS, RESULT, run } from "../../test/support/plugins/plugin-call.ts";
import { FairleadError } from "../errors.ts";
import type { AddRequest } from "./request.ts";
import { EMPTY_RESULT, type Result } from "./result.ts";
import type { PluginIo } from "./run-plugin.ts";

const encoder = new TextEncoder();

describe("ADD", () => {
  test("hands the attachment to the handler", () => {
    const stdin = { ...CONFIG, prevResult: { cniVersion: "1.1.0", ips: [{ address: "10.9.0.1/24" }] } };
    const done = run({
      verb: "ADD",
      stdin,
      env: { CNI_ARGS: "MAC=a;IgnoreUnknown=1;X=y" },
      argKeys: ["MAC"],
    });
    const [call] = done.calls;
    expect(call?.request).toMatchObject({
      key: { networkName: "net1", containerId: "c1", ifname: "eth0" },
      netns: NETNS,
      args: new Map([["MAC", "a"]]),
      prevResult: { ips: [{ address: "10.9.0.1/24" }] },
      config: { cniVersion: "1.1.0", stdin: encoder.encode(JSON.stringify(stdin)) },
      environment: { path: ["/opt/cni/bin"] },
    });
    expect(done).toMatchObject({ status: 0, stderr: "" });
  });

  test.each([
    ["absent", "it does not exist"],
    ["a file", "it is a regular file"],
    ["own", "should not be the same"],
  ] as const)("a netns that is %s is code 8", (netns, words) => {
    const done = run({ verb: "ADD", netns });
    expectError(done, 8, words);
    expect(done.calls).toEqual([]);
  });

  test("our own netns is fine when the runtime says so", () => {
    expect(run({ verb: "ADD", netns: "own", env: { CNI_NETNS_OVERRIDE: "1" } }).status).toBe(0);
  });

  test("CNI_ARGS mean nothing to a plugin that names no keys", () => {
    expect(run({ verb: "ADD", env: { CNI_ARGS: "a;b" } }).status).toBe(0);
  });

  test("unknown CNI_ARGS are refused before acting", () => {
    const done = run({ verb: "ADD", env: { CNI_ARGS: "X=y" }, argKeys: [] });
    expectError(done, 4, "unknown args");
    expect(done.calls).toEqual([]);
  });

  test("a broken prevResult is refused before acting", () => {
    const done = run({ verb: "ADD", stdin: { ...CONFIG, prevResult: { ips: 7 } } });
    expectError(done, 7, "read prevResult ips");
    expect(done.calls).toEqual([]);
  });

  /** A handler that notes what it made, and takes that back. */
  const made = (done: string[], result = RESULT) => ({
    add: ({ undo, atEnd }: AddRequest) => {
      atEnd(() => done.push("closed"));
      undo.push("delete link", () => done.push("deleted"));
      return result;
    },
  });

  test("a result that the version cannot hold takes back what was made, and that only: there is no DEL", () => {
    const steps: string[] = [];
    const done = run({
      verb: "ADD",
      stdin: { ...CONFIG, cniVersion: "0.2.0" },
      handlers: made(steps, EMPTY_RESULT),
    });
    expectError(done, 7, "cannot convert: no valid IP addresses");
    expect([steps, done.calls]).toEqual([["deleted", "closed"], []]);
  });

  test.each(["writeStdout", "deliver"] as const)("so does one that %s gets rid of to nobody", (way) => {
    const steps: string[] = [];
    const refuse = (): never => {
      throw new FairleadError({ code: "io-failure", operation: "write stdout", reason: "EPIPE" });
    };
    const done = run({ verb: "ADD", [way]: refuse, handlers: made(steps) });
    expect(done.status).toBe(1);
    expect(steps).toEqual(["deleted", "closed"]);
    expect(way === "deliver" ? done.stdout : done.stderr).toContain("EPIPE");
  });

  test("what was opened is closed after what is undone, the last one first", () => {
    const steps: string[] = [];
    const add = ({ undo, atEnd }: AddRequest): Result => {
      atEnd(() => steps.push("first closed"));
      atEnd(() => steps.push("second closed"));
      undo.push("delete link", () => steps.push("deleted"));
      throw new FairleadError({ code: "timeout", operation: "acquire", reason: "no answer" });
    };
    expectError(run({ verb: "ADD", handlers: { add } }), 11, "no answer");
    expect(steps).toEqual(["deleted", "second closed", "first closed"]);
  });

  test("what was told stays", () => {
    const steps: string[] = [];
    expect(run({ verb: "ADD", handlers: made(steps) }).status).toBe(0);
    expect(steps).toEqual(["closed"]);
  });

  test("the error of ADD is told although taking back fails too", () => {
    const add = ({ undo }: AddRequest): Result => {
      undo.push("delete link", () => {
        throw new Error("no way back");
      });
      return EMPTY_RESULT;
    };
    const done = run({ verb: "ADD", stdin: { ...CONFIG, cniVersion: "0.2.0" }, handlers: { add } });
    expectError(done, 7, "cannot convert");
    expect(done.stderr).toContain("undo: delete link: no way back");
  });

  test("ADD and DEL run in their turn, and fail when that does not come; other verbs need none", () => {
    const keys: string[] = [];
    const inOrder: PluginIo["inOrder"] = (key) => {
      keys.push(`${key.networkName} ${key.containerId} ${key.ifname}`);
      throw new FairleadError({ code: "timeout", operation: "wait for", reason: "process 7 works on it" });
    };
    for (const verb of ["ADD", "DEL"]) {
      const done = run({ verb, inOrder });
      expectError(done, 11, "process 7 works on it");
      expect(done.calls).toEqual([]);
    }
    expect(run({ verb: "STATUS", inOrder }).status).toBe(0);
    expect(keys).toEqual(["net1 c1 eth0", "net1 c1 eth0"]);
  });

  test("an error of the handler is not followed by DEL: handlers undo their own", () => {
    const done = run({
      verb: "ADD",
      handlers: {
        add: () => {
          throw new FairleadError({ code: "pool-exhausted", operation: "acquire", reason: "all taken" });
        },
      },
    });
    expectError(done, 11, "acquire: all taken");
    expect(done.answer()["cniVersion"]).toBe("1.1.0");
    expect(done.calls).toEqual([]);
  });

  test("a fault of ours is code 999, as JSON", () => {
    const add = () => {
      throw new TypeError("x is not a function");
    };
    expectError(run({ verb: "ADD", handlers: { add } }), 999, "x is not a function");
  });
});

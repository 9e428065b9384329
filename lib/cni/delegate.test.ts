import { FairleadError } from "../errors.ts";
import { readRequestConfig } from "./config.ts";
import {
  type Delegation,
  delegateAdd,
  delegateCheck,
  delegateDel,
  delegateGc,
  delegateStatus,
  type Exec,
  type ExecOutcome,
} from "./delegate.ts";
import { DelegateError } from "./errors.ts";
import { CNI_VERSIONS } from "./versions.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const STDIN = bytes(`{ "name" : "net1", "cniVersion":"1.0.0" }\n`);
const ENV = { CNI_COMMAND: "ADD", CNI_PATH: "/a:/b", TRACEPARENT: "t", UNSET: undefined };

type Program = Parameters<Exec["execFile"]>[0];
type Ending = ExecOutcome | FairleadError;

/** A delegate at /b/host-local that ends in the given ways, one after the other. */
function setup(outcomes: readonly Ending[], type = "host-local", own = "fairlead-bridge") {
  const programs: Program[] = [];
  const pauses: number[] = [];
  const logs: string[] = [];
  const left = [...outcomes];
  const delegation: Delegation = {
    type,
    request: {
      config: readRequestConfig({ name: "net1", cniVersion: "1.0.0", type: own }, STDIN, CNI_VERSIONS),
      environment: {
        verb: "ADD",
        containerId: "c1",
        netns: "/n",
        ifname: "eth0",
        args: "",
        path: ["/a", "/b"],
        netnsOverride: false,
      },
      env: ENV,
      log: (message) => logs.push(message),
    },
    exec: {
      isRegularFile: (path) => path === "/b/host-local" || path === "/a/" || path === "/b/",
      execFile: (program) => {
        programs.push(program);
        const ending = left.shift() ?? ended(0, "");
        if (ending instanceof FairleadError) throw ending;
        return ending;
      },
      sleepMs: (ms) => pauses.push(ms),
    },
  };
  return { delegation, programs, pauses, logs, verbs: () => programs.map(({ env }) => env["CNI_COMMAND"]) };
}

function ended(status: number, stdout: string): ExecOutcome {
  return { status, signal: null, stdout: bytes(stdout) };
}

function notStarted(errnoName: string): FairleadError {
  return new FairleadError({
    code: "io-failure",
    operation: "execute",
    reason: errnoName,
    details: { errnoName },
  });
}

const RESULT = ended(0, `{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.2/24"}]}`);
const BUSY = notStarted("ETXTBSY");

test("the delegate gets our environment and the very bytes of our stdin", () => {
  const { delegation, programs } = setup([RESULT]);
  expect(delegateAdd(delegation).ips).toEqual([{ address: "10.0.0.2/24" }]);
  expect(programs).toEqual([
    { path: "/b/host-local", env: { CNI_COMMAND: "ADD", CNI_PATH: "/a:/b", TRACEPARENT: "t" }, stdin: STDIN },
  ]);
  expect(programs[0]?.stdin).toBe(STDIN);
  expect(Object.keys(programs[0]?.env ?? {})).not.toContain("UNSET");
});

test.each([
  ["DEL", delegateDel],
  ["CHECK", delegateCheck],
  ["GC", delegateGc],
  ["STATUS", delegateStatus],
] as const)("%s is delegated under its own name, its output is not looked at", (verb, delegate) => {
  const { delegation, verbs } = setup([ended(0, "anything")]);
  delegate(delegation);
  expect(verbs()).toEqual([verb]);
});

test("the delegate's error is thrown as it is, after a DEL", () => {
  const { delegation, verbs, logs } = setup([ended(1, `{"code":11,"msg":"full","details":"d"}`)]);
  expect(() => delegateAdd(delegation)).toThrow(DelegateError);
  expect(verbs()).toEqual(["ADD", "DEL"]);
  expect(logs).toEqual([]);
});

test("a DEL that fails too is logged, and the error of ADD stays", () => {
  const { delegation, logs } = setup([
    ended(1, `{"code":11,"msg":"full"}`),
    ended(1, `{"code":5,"msg":"disk"}`),
  ]);
  expect(() => delegateAdd(delegation)).toThrow("full");
  expect(logs).toEqual([expect.stringContaining("disk")]);
});

test("an answer that is no result is taken back", () => {
  const { delegation, verbs } = setup([ended(0, "oops")]);
  expect(() => delegateAdd(delegation)).toThrow(expect.objectContaining({ code: "decode-failure" }));
  expect(verbs()).toEqual(["ADD", "DEL"]);
});

test("a delegate that is killed is reported with its signal", () => {
  const { delegation } = setup([{ status: null, signal: "SIGKILL", stdout: bytes("") }]);
  expect(() => delegateCheck(delegation)).toThrow("signal SIGKILL");
});

test("a delegate that fails without an error of CNI's is reported with its exit status", () => {
  const { delegation } = setup([ended(3, "oops")]);
  expect(() => delegateCheck(delegation)).toThrow("exit status 3");
});

test("a plugin that is being installed is tried again, five times", () => {
  const { delegation, pauses, verbs } = setup([BUSY, BUSY, BUSY, BUSY, BUSY, RESULT]);
  expect(delegateAdd(delegation).ips).toHaveLength(1);
  expect(pauses).toEqual([1000, 1000, 1000, 1000, 1000]);
  expect(verbs()).toHaveLength(6);
});

test("and then given up", () => {
  const { delegation, verbs } = setup(Array<Ending>(20).fill(BUSY));
  expect(() => delegateCheck(delegation)).toThrow(
    expect.objectContaining({ code: "io-failure", message: expect.stringContaining("ETXTBSY") }),
  );
  expect(verbs()).toHaveLength(6);
});

test("no other failure to start is tried again", () => {
  const { delegation, pauses } = setup([notStarted("ENOEXEC")]);
  expect(() => delegateCheck(delegation)).toThrow("ENOEXEC");
  expect(pauses).toEqual([]);
});

test.each(["absent", ""])("the plugin %j is not found, and where was looked is said", (type) => {
  const { delegation, programs } = setup([], type);
  expect(() => delegateAdd(delegation)).toThrow(
    expect.objectContaining({
      code: "plugin-not-found",
      message: expect.stringContaining(`failed to find plugin "${type}" in path [/a /b]`),
    }),
  );
  expect(programs).toEqual([]);
});

test.each(["../host-local", "/b/host-local", ".."])("the type %j is refused", (type) => {
  const { delegation, programs } = setup([], type);
  expect(() => delegateDel(delegation)).toThrow(
    expect.objectContaining({ code: "invalid-config", object: "ipam.type" }),
  );
  expect(programs).toEqual([]);
});

test.each([
  ["bridge", "fairlead-bridge"],
  ["fairlead-macvlan", "fairlead-bridge"],
  ["host-local", "host-local"],
])("%s is asked for no addresses by %s: it would call itself without end", (type, own) => {
  const { delegation, programs } = setup([], type, own);
  const refusal = {
    code: "invalid-config",
    object: "ipam.type",
    reason: expect.stringContaining("without end"),
  };
  expect(() => delegateAdd(delegation)).toThrow(expect.objectContaining(refusal));
  expect(programs).toEqual([]);
});

test("a type that stands elsewhere is refused by its place", () => {
  const { delegation } = setup([], "../static");
  expect(() => delegateAdd({ ...delegation, key: "delegate.type" })).toThrow(
    expect.objectContaining({ object: "delegate.type" }),
  );
});

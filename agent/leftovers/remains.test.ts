/** What is left of attachments, found and asked about, as a story on a clock that only the story moves. */
import { silentLogger } from "../../lib/log.ts";
import type { AgentContext, AgentPart } from "../base/part.ts";
import type { Remain } from "./find-remains.ts";
import { type RemainAnswer, startRemains } from "./remains.ts";

const INTERVAL_MS = 5_000;

let found: Remain[] | Error;
/** What a call is under way for. */
let busy: string[];
let outcomes: Record<string, RemainAnswer["outcome"]>;
/** Of the last so many that are asked about nothing is said. */
let unanswered: number;
let asked: string[];
let logged: string[];
let part: AgentPart;

beforeEach(() => {
  jest.useFakeTimers();
  [found, busy, outcomes, asked, logged, unanswered] = [[], [], {}, [], [], 0];
});
afterEach(async () => {
  await part.close();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

const word = (name: string): Remain => ({ kind: "unfinished-add", name, records: "/records" });
const ports = (containerId: string): Remain => ({
  kind: "ports",
  key: { networkName: "net", containerId, ifname: "eth0" },
  records: "/records",
});

const nameOf = (one: Remain): string =>
  one.kind === "ports" ? `ports net/${one.key.containerId}/eth0` : one.name;

async function start(): Promise<void> {
  const log = (_fields: object, message: string) => void logged.push(message);
  const context = { logger: { ...silentLogger, warn: log, error: log } } as unknown as AgentContext;
  part = await startRemains(context, {
    intervalMs: INTERVAL_MS,
    find: async () => {
      if (found instanceof Error) throw found;
      return { remains: found, all: new Set([...found.map(nameOf), ...busy]) };
    },
    take: async (remains) => {
      asked.push(remains.map(nameOf).join(" "));
      return remains.slice(0, remains.length - unanswered).map((one) => {
        const outcome = outcomes[nameOf(one)] ?? "taken";
        return { outcome, attachment: `of ${nameOf(one)}`, reason: "why" };
      });
    },
  });
}

/** What was asked about within so many milliseconds. */
async function within(ms: number): Promise<string[]> {
  await jest.advanceTimersByTimeAsync(ms);
  return asked.splice(0);
}

const problems = () => part.problems?.().map(({ severity, object }) => `${severity}: ${object}`);

test("what is found is taken back, at the start and in every round", async () => {
  found = [word("a")];
  await start();
  expect(await within(0)).toEqual(["a"]);
  found = [];
  expect(await within(INTERVAL_MS)).toEqual([]);
  found = [word("b"), ports("c")];
  expect(await within(INTERVAL_MS)).toEqual(["b ports net/c/eth0"]);
  expect([part.figures?.(), problems()]).toEqual([{ taken: 3 }, []]);
});

test("what is kept is a warning and what failed an error, until it is gone; both are asked about ever later", async () => {
  found = [word("kept"), ports("failing")];
  outcomes = { kept: "kept", "ports net/failing/eth0": "failed" };
  await start();
  expect(await within(0)).toEqual(["kept ports net/failing/eth0"]);
  expect(part.problems?.()).toEqual([
    {
      severity: "warning",
      object: "of kept",
      message:
        "what an ADD that was killed left is there, and is kept, because it may be in use: why; if it is not, detach the container (DEL, or fairlead network disconnect)",
    },
    {
      severity: "error",
      object: "of ports net/failing/eth0",
      message: "its published ports are left, and cannot be taken back: why; it is tried again",
    },
  ]);
  expect(await within(INTERVAL_MS)).toEqual(["kept ports net/failing/eth0"]);
  expect(await within(INTERVAL_MS)).toEqual([]);
  expect(await within(INTERVAL_MS)).toEqual(["kept ports net/failing/eth0"]);
  outcomes = {};
  expect(await within(3 * INTERVAL_MS)).toEqual([]);
  expect(await within(INTERVAL_MS)).toEqual(["kept ports net/failing/eth0"]);
  expect(problems()).toEqual([]);
});

test("what is over by itself, or of which nothing was said, is neither taken nor a problem, and asked about again", async () => {
  found = [word("over"), ports("unsaid")];
  outcomes = { over: "over" };
  unanswered = 1;
  await start();
  for (let round = 0; round < 3; round += 1)
    expect(await within(round === 0 ? 0 : INTERVAL_MS)).toEqual(["over ports net/unsaid/eth0"]);
  expect([part.figures?.(), problems(), logged]).toEqual([{ taken: 0 }, [], []]);
});

test("of many, 64 are given to one process; the rest waits for the next round", async () => {
  found = Array.from({ length: 70 }, (_, at) => word(`w${at}`));
  await start();
  expect((await within(0)).map((names) => names.split(" ").length)).toEqual([64]);
  found = found.slice(64);
  expect(await within(INTERVAL_MS)).toEqual(["w64 w65 w66 w67 w68 w69"]);
});

test("a failure is logged each time, what is kept once", async () => {
  found = [word("kept"), ports("failing")];
  outcomes = { kept: "kept", "ports net/failing/eth0": "failed" };
  await start();
  await within(INTERVAL_MS);
  const again = "agent: what is left of an attachment cannot be taken back yet";
  expect(logged).toEqual(["agent: problem", again, "agent: problem", again]);
});

test("what somebody else took away is no problem any more", async () => {
  found = [word("kept")];
  outcomes = { kept: "kept" };
  await start();
  await within(0);
  found = [];
  await within(INTERVAL_MS);
  expect(problems()).toEqual([]);
});

test("a call that is under way, and a round that sees nothing, take away no problem and no back-off", async () => {
  found = [word("kept")];
  outcomes = { kept: "kept" };
  await start();
  expect(await within(3 * INTERVAL_MS)).toEqual(["kept", "kept", "kept"]);
  found = new Error("the service is away");
  await within(INTERVAL_MS);
  expect(problems()).toEqual(["warning: of kept"]);
  [found, busy] = [[], ["kept"]];
  await within(INTERVAL_MS);
  expect(problems()).toEqual(["warning: of kept"]);
  // It rests for 20 s since it was asked last, 10 s ago.
  found = [word("kept")];
  expect(await within(INTERVAL_MS)).toEqual([]);
  expect(await within(INTERVAL_MS)).toEqual(["kept"]);
});

test("what is busy, or of another network namespace, is no problem, and asked about again", async () => {
  found = [word("busy"), word("foreign")];
  outcomes = { busy: "busy", foreign: "foreign" };
  await start();
  expect(await within(INTERVAL_MS)).toEqual(["busy foreign", "busy foreign"]);
  expect(problems()).toEqual([]);
});

test("why it cannot be looked at is said once", async () => {
  found = new Error("the service is away");
  await start();
  await within(3 * INTERVAL_MS);
  expect(logged).toEqual(["agent: what is left of attachments cannot be looked at"]);
  found = [word("a")];
  expect(await within(INTERVAL_MS)).toEqual(["a"]);
});

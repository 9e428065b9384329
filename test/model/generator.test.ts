import { generateHistory } from "./generator.ts";
import { CONTAINERS, formatHistory, type History, NETWORKS, type PluginCall, type Step } from "./history.ts";

const histories = Array.from({ length: 2_000 }, (_, seed) => generateHistory(seed));
const steps = histories.flat();

const calls = steps.flatMap((step): readonly PluginCall[] => (step.kind === "call" ? step.calls : []));

/** What a step is, and what happened meanwhile. */
function happenings(step: Step): string[] {
  return step.kind === "call" && step.meanwhile ? [step.kind, step.meanwhile.kind] : [step.kind];
}

test("a seed gives one history, and other seeds give others", () => {
  expect(generateHistory(7)).toEqual(generateHistory(7));
  expect(new Set(histories.map((history) => JSON.stringify(history))).size).toBeGreaterThan(1_950);
});

test("histories are short, and name only what there is", () => {
  expect(Math.min(...histories.map(({ length }) => length))).toBe(5);
  expect(Math.max(...histories.map(({ length }) => length))).toBe(15);
  expect(new Set(calls.map(({ who }) => who)).size).toBe(CONTAINERS);
  expect(calls.every(({ who }) => who >= 0 && who < CONTAINERS)).toBe(true);
  const networks = steps.flatMap((step) => ("network" in step ? [step.network] : []));
  expect(new Set(networks)).toEqual(new Set(Array.from({ length: NETWORKS }, (_, at) => at)));
});

test.each<[Step["kind"], number]>([
  ["call", 10_000],
  ["gc", 400],
  ["kill", 500],
  ["stop", 500],
  ["continue", 400],
  ["start", 400],
  ["reboot", 200],
  ["backup", 250],
  ["restore", 100],
  ["clock", 150],
  ["edit", 700],
])("%s is among them often enough", (kind, least) => {
  expect(steps.filter((step) => step.kind === kind).length).toBeGreaterThan(least);
});

test("calls of every verb, alone and at once, whole and killed, with either configuration", () => {
  expect(new Set(calls.map(({ verb }) => verb))).toEqual(new Set(["ADD", "DEL", "CHECK"]));
  const killed = calls.filter(({ killAfterMs }) => killAfterMs !== undefined).length / calls.length;
  expect([killed > 0.2, killed < 0.3]).toEqual([true, true]);
  expect(calls.some(({ verb, cached }) => verb === "DEL" && cached)).toBe(true);
  expect(calls.some(({ verb, cached }) => verb === "ADD" && cached)).toBe(false);
  expect(steps.some((step) => step.kind === "call" && step.calls.length === 3)).toBe(true);
});

test("processes are killed and stopped while calls are under way", () => {
  const strikes = steps.flatMap((step) => (step.kind === "call" && step.meanwhile ? [step.meanwhile] : []));
  for (const kind of ["kill", "stop"] as const)
    for (const process of ["server", "agent", "worker"] as const) {
      const alike = strikes.filter((strike) => strike.kind === kind && strike.process === process);
      expect(alike.length).toBeGreaterThan(150);
    }
});

test("a quarrel is about two containers, or one", () => {
  const whosOf = (history: History): Set<number> =>
    new Set(history.flatMap((step) => (step.kind === "call" ? step.calls.map(({ who }) => who) : [])));
  const few = histories.filter((history) => whosOf(history).size <= 2);
  expect(few.length).toBeGreaterThan(900);
  expect(few.some((history) => whosOf(history).size === 1)).toBe(true);
});

test("nothing goes on that was not stopped, starts that was not dead, or comes back without a backup", () => {
  for (const history of histories) {
    const needs = { continue: "stop", start: "kill", restore: "backup" } as const;
    for (const [at, { kind }] of history.entries()) {
      if (kind !== "continue" && kind !== "start" && kind !== "restore") continue;
      expect(history.slice(0, at).flatMap(happenings)).toContain(needs[kind]);
    }
  }
});

test("a history is printed one step a line", () => {
  const text = formatHistory([
    { kind: "call", calls: [{ verb: "ADD", who: 1, killAfterMs: 3 }] },
    {
      kind: "call",
      calls: [
        { verb: "DEL", who: 1, cached: true },
        { verb: "ADD", who: 2 },
      ],
    },
    { kind: "gc", network: 1 },
    { kind: "kill", process: "worker" },
    { kind: "stop", process: "server" },
    { kind: "clock", hours: 2 },
    { kind: "edit", network: 0, edit: "no-ipam" },
    { kind: "reboot" },
    {
      kind: "call",
      calls: [{ verb: "ADD", who: 3 }],
      meanwhile: { kind: "stop", process: "agent", afterMs: 4 },
    },
  ]);
  expect(text.split("\n")).toEqual([
    "   0 ADD c1, plugin killed after 3 ms",
    "   1 DEL c1 (cached configuration) and, at once, ADD c2",
    "   2 GC of network 1",
    "   3 kill -9 worker",
    "   4 SIGSTOP server",
    "   5 clock +2 h",
    "   6 conflist of network 0: no-ipam",
    "   7 reboot",
    "   8 ADD c3, and after 4 ms SIGSTOP agent",
  ]);
});

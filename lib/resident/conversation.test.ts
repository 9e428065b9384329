import { type ConversationCalls, type ConversationOutcome, converse } from "./conversation.ts";
import { DECLINED, encodeAnswer, LONGEST_REQUEST_BYTES, TAKEN } from "./frames.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const ANSWER = encodeAnswer({ exitCode: 1, stdout: bytesOf("out"), stderr: bytesOf("log") });

/** What the worker's side does, step by step: bytes that come, its end, or time that passes. */
type Step = Uint8Array | "end" | "late";

/** A kernel that plays a worker. `calls` are the names of the functions called, without those that only wait. */
function kernel(steps: readonly Step[], refused: Partial<ConversationCalls> = {}) {
  const script = [...steps];
  const calls: string[] = [];
  const c: ConversationCalls = {
    socket: () => 7,
    connect: () => 0,
    send: (_fd, _bytes, length) => length,
    poll: () => {
      if (script[0] !== "late") return 1;
      script.shift();
      return 0;
    },
    recv: (_fd, buffer) => {
      const step = script.shift();
      if (!(step instanceof Uint8Array)) return 0;
      buffer.set(step.subarray(0, buffer.length));
      if (step.length > buffer.length) script.unshift(step.subarray(buffer.length));
      return Math.min(step.length, buffer.length);
    },
    shutdown: () => calls.push("shutdown"),
    close: () => calls.push("close"),
    ...refused,
  };
  return { c, calls };
}

function talk(steps: readonly Step[], refused: Partial<ConversationCalls> = {}, path = "/run/w.sock") {
  const { c, calls } = kernel(steps, refused);
  const request = new Uint8Array(100);
  // The limits are over at once: only the script decides what is late.
  const outcome: ConversationOutcome = converse(c, {
    socketPath: path,
    request,
    startLimitMs: 0,
    limitMs: 0,
  });
  return { outcome, calls };
}

const taken = (...rest: readonly Uint8Array[]): Uint8Array =>
  new Uint8Array([TAKEN, ...rest.flatMap((bytes) => [...bytes])]);

test.each<[string, readonly Step[]]>([
  ["at once", [taken(ANSWER)]],
  ["after its word", [taken(), ANSWER]],
  ["byte by byte", [...taken(ANSWER)].map((byte) => new Uint8Array([byte]))],
])("an answer that comes %s", (_, steps) => {
  const { outcome, calls } = talk(steps);
  expect(outcome).toEqual({
    kind: "answered",
    answer: { exitCode: 1, stdout: bytesOf("out"), stderr: bytesOf("log") },
  });
  expect(calls).toEqual(["close"]);
});

test("an answer longer than the first buffer", () => {
  const stdout = new Uint8Array(70_000).fill(0x61);
  const { outcome } = talk([taken(), encodeAnswer({ exitCode: 0, stdout, stderr: new Uint8Array(0) })]);
  expect(outcome).toMatchObject({ kind: "answered", answer: { exitCode: 0 } });
  expect(outcome.kind === "answered" && Buffer.compare(outcome.answer.stdout, stdout)).toBe(0);
});

test.each<[string, readonly Step[], Partial<ConversationCalls>]>([
  ["declined", [new Uint8Array([DECLINED])], {}],
  ["hung up on", ["end"], {}],
  ["refused", [], { connect: () => -1 }],
  ["not sent whole", [], { send: (_fd, _bytes, length) => (length > 50 ? 50 : -1) }],
  ["without a socket", [], { socket: () => -1 }],
])("untaken when %s", (_, steps, refused) => {
  expect(talk(steps, refused).outcome).toEqual({ kind: "untaken" });
});

test.each(["", "\0abstract", `/${"x".repeat(107)}`])("untaken for the path %j", (path) => {
  expect(talk([taken(ANSWER)], {}, path).outcome).toEqual({ kind: "untaken" });
});

test("untaken when the request is too long for a worker", () => {
  const { c, calls } = kernel([]);
  const request = new Uint8Array(LONGEST_REQUEST_BYTES + 1);
  const outcome = converse(c, { socketPath: "/w", request, startLimitMs: 0, limitMs: 0 });
  expect({ outcome, calls }).toEqual({ outcome: { kind: "untaken" }, calls: [] });
});

test("nobody begins in time: the receiving side is shut down, and then nobody can", () => {
  const { outcome, calls } = talk(["late", "end"]);
  expect(outcome).toEqual({ kind: "untaken" });
  expect(calls).toEqual(["shutdown", "close"]);
});

test.each<[string, readonly Step[], ConversationOutcome]>([
  ["and has answered", ["late", taken(ANSWER)], { kind: "answered", answer: expect.anything() }],
  ["and hangs up when it is done: the plugin may run again", ["late", taken(), "end"], { kind: "untaken" }],
  ["and does not come to an end", ["late", taken(), "end", "late"], { kind: "lost", timedOut: true }],
])("somebody begins in the very last moment, %s", (_, steps, expected) => {
  expect(talk(steps).outcome).toEqual(expected);
});

test.each<[string, readonly Step[], boolean]>([
  ["ends after its word", [taken(), "end"], false],
  ["ends in the middle of its answer", [taken(ANSWER.subarray(0, 15)), "end"], false],
  ["takes too long", [taken(), "late"], true],
  ["announces more than anybody answers", [taken(new Uint8Array(12).fill(0xff))], false],
])("lost when the worker %s", (_, steps, timedOut) => {
  expect(talk(steps).outcome).toEqual({ kind: "lost", timedOut });
});

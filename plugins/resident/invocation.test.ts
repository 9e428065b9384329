import type { PluginIo } from "../../lib/cni/run-plugin.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { ResidentAnswer } from "../../lib/resident/frames.ts";
import { type Client, type InvocationEnd, runInvocation } from "./invocation.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (all: Uint8Array) => new TextDecoder().decode(all);
const shown = ({ exitCode, stdout, stderr }: ResidentAnswer) => [exitCode, text(stdout), text(stderr)];

/** Runs `main` for a client that reads its answer, or has gone. */
function run(main: (io: PluginIo) => number, { reads = true, receives = true } = {}) {
  const answers: unknown[] = [];
  const client: Client = {
    answer: (answer) => {
      answers.push(shown(answer));
      return reads;
    },
    hasReceived: () => receives,
  };
  const env = { CNI_CONTAINERID: "c1" };
  const request = { build: "", plugin: "fairlead-bridge", env, stdin: bytes("stdin") };
  const end: InvocationEnd = runInvocation(main, request, client);
  return { answers, end };
}

test("what the process would have left behind is left to be answered", () => {
  const { answers, end } = run((io) => {
    io.writeStdout(io.readStdin(100));
    io.writeStdout(bytes(` of ${io.env["CNI_CONTAINERID"]}`));
    io.writeStderr(bytes("one\n"));
    io.writeStderr(bytes("two\n"));
    return 3;
  });
  expect("answer" in end && shown(end.answer)).toEqual([3, "stdin of c1", "one\ntwo\n"]);
  expect(answers).toEqual([]);
});

test("one who writes nothing leaves nothing", () => {
  const { end } = run(() => 0);
  expect("answer" in end && shown(end.answer)).toEqual([0, "", ""]);
});

test("the result of an ADD is answered at once, and what comes after is for the log", () => {
  const { answers, end } = run((io) => {
    io.writeStderr(bytes("before\n"));
    io.deliver?.(bytes("{}"));
    io.writeStderr(bytes("after\n"));
    io.writeStdout(bytes("an error\n"));
    return 1;
  });
  expect(answers).toEqual([[0, "{}", "before\n"]]);
  expect(end).toEqual({ log: "after\nan error\n" });
});

test.each([{ reads: false }, { receives: false }])(
  "a plugin learns of a client that has gone, and takes back what it made (%j)",
  (client) => {
    let told: unknown;
    const { end } = run((io) => {
      try {
        io.deliver?.(bytes("{}"));
      } catch (thrown) {
        told = thrown;
      }
      return 1;
    }, client);
    expect(told).toBeInstanceOf(FairleadError);
    expect(told).toMatchObject({ code: "io-failure", object: "ADD of c1" });
    expect(end).toEqual({ log: "" });
  },
);

test("a path that leads nowhere is told as such", () => {
  let identity: unknown;
  run((io) => {
    identity = [io.identifyNetns("/no/such/netns"), io.identifyNetns("/proc/thread-self/ns/net")];
    return 0;
  });
  expect(identity).toEqual(["absent", "own"]);
});

/**
 * The front of the packaged executable: what it hands to a worker and takes from it, and that whatever it leaves to the runtime
 * comes there as if nobody had looked at it.
 *
 * The worker is a scripted one. `FOO` is no verb, so an answer in its name tells who gave it: the worker says what the script
 * says, the plugin that it is unknown.
 */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LONGEST_REQUEST_BYTES } from "../../lib/resident/frames.ts";
import { PLUGIN_NAMES } from "../../plugins/names.ts";
import { FAIRLEAD_DIRECTORY } from "../support/lab/lab-plugins.ts";
import {
  ANSWER,
  ATTACHMENT,
  BY_WORKER,
  type Call,
  UNKNOWN_VERB,
  useFront,
} from "../support/plugins/front-call.ts";
import { answerOf, DECLINE, type Step, TAKE } from "../support/plugins/scripted-worker.ts";

jest.setTimeout(120_000);

const s = useFront();

describe("what is handed over", () => {
  test.each(PLUGIN_NAMES.filter((name) => name.startsWith("fairlead")))(
    "the request of %s",
    async (plugin) => {
      s.worker.follow(...ANSWER);
      const env = { CNI_ARGS: 'K="a\\b";L=1', CNI_PATH: "/a:/b c", SECRET: "s", CNI_OTHER: "o", LANG: "C" };
      expect(await s.caller.call({ plugin, env })).toEqual(BY_WORKER);
      const [build] = readFileSync(join(FAIRLEAD_DIRECTORY, "../.digest"), "utf8").split(" ");
      const { CNI_ARGS, CNI_PATH } = env;
      const [{ stdin, ...header } = {}] = s.worker.requests;
      expect(header).toEqual({
        build,
        plugin,
        env: { ...ATTACHMENT, CNI_COMMAND: "FOO", CNI_ARGS, CNI_PATH },
      });
      expect(Buffer.from(stdin ?? "").toString()).toBe(s.caller.config());
      expect(s.worker.requests).toHaveLength(1);
    },
  );

  test("stdin byte by byte, bytes outside of ASCII and all", async () => {
    s.worker.follow(...ANSWER);
    const stdin = Buffer.concat([Buffer.from(`\n${s.caller.config({ label: "Zürich" })} `)]);
    stdin[stdin.indexOf("Z")] = 0xff;
    expect(await s.caller.call({ stdin, isSlow: true })).toEqual(BY_WORKER);
    expect(Buffer.compare(s.worker.requests[0]?.stdin ?? new Uint8Array(), stdin)).toBe(0);
  });

  test.each<[string, object, object]>([
    ["a time limit", {}, { timeoutSeconds: 3 }],
    ["a strange time limit", {}, { timeoutSeconds: "3" }],
    ["deep values", { a: [[[{ b: [1, -0.5e-7, true, false, null, "\\\u0000é"] }]]] }, {}],
    ["the longest configuration", { pad: "x".repeat(LONGEST_REQUEST_BYTES - 1_000) }, {}],
  ])("a configuration with %s", async (_, keys, ipam) => {
    s.worker.follow(...ANSWER);
    expect(await s.caller.call({ stdin: s.caller.config(keys, ipam) })).toEqual(BY_WORKER);
  });

  test("nothing is done but that: no file is opened, no runtime started", async () => {
    s.worker.follow(...ANSWER);
    const trace = join(s.directory, "trace");
    expect(await s.caller.call({ wrapper: ["strace", "-f", "-qq", "-o", trace] })).toEqual(BY_WORKER);
    const names = [...readFileSync(trace, "utf8").matchAll(/^\d+ +(\w+)\(/gm)].map(([, name]) => name);
    const allowed =
      /^(execve|mmap|read|socket|connect|sendto|clock_gettime|ppoll|recvfrom|close|rt_sigaction|write|exit_group)$/;
    expect(names.filter((name) => !allowed.test(name ?? ""))).toEqual([]);
    expect(names).toContain("connect");
  });
});

describe("what is answered", () => {
  const long = "x".repeat(3_000_000);
  const answer = answerOf({ exitCode: 7, stdout: "by the worker", stderr: "log" });

  test.each<[string, readonly Step[]]>([
    ["at once", [{ send: new Uint8Array([1, ...answer]) }]],
    ["after its word, and some time", [TAKE, { waitMs: 100 }, { send: answer }]],
    [
      "in pieces",
      [TAKE, ...[...answer].flatMap((byte) => [{ send: new Uint8Array([byte]) }, { waitMs: 1 }])],
    ],
  ])("%s", async (_, script) => {
    s.worker.follow(...script);
    expect(await s.caller.call({})).toEqual({ ...BY_WORKER, stderr: "log" });
  });

  test("at great length, to a reader that takes its time", async () => {
    s.worker.follow(TAKE, { send: answerOf({ stdout: long }) });
    expect(await s.caller.call({})).toEqual({ status: 0, stdout: long, stderr: "" });
  });

  test("into a pipe that does not block and is full", async () => {
    const fifo = join(s.directory, "fifo");
    spawnSync("mkfifo", [fifo]);
    const reading = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const stdout = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    s.worker.follow(TAKE, { send: answerOf({ stdout: long }) });
    const ended = s.caller.call({ stdout });
    closeSync(stdout);
    const whole = new Promise<number>((resolve) => {
      const reader = spawn("cat", [], { stdio: [reading, "pipe", "ignore"] });
      let bytes = 0;
      reader.stdout?.on("data", (part) => (bytes += part.length)).once("end", () => resolve(bytes));
    });
    closeSync(reading);
    expect([await ended, await whole]).toEqual([{ status: 0, stdout: "", stderr: "" }, long.length]);
  });
});

describe("what is left to the runtime", () => {
  test.each<[string, readonly Step[]]>([
    ["declines", [DECLINE]],
    ["hangs up", ["end"]],
    ["declines and says more", [DECLINE, { send: answerOf({ stdout: "by the worker" }) }]],
  ])("what a worker %s", async (_, script) => {
    s.worker.follow(...script);
    expect(await s.caller.call({})).toMatchObject(UNKNOWN_VERB);
    expect(s.worker.requests).toHaveLength(1);
  });

  const socket = (): string => join(s.directory, "fairlead.sock");
  test.each<[string, () => Call]>([
    ["nobody listens", () => ({ stdin: s.caller.config({}, { socket: "/nonexistent/a.sock" }) })],
    [
      "the socket's path is too long",
      () => ({ stdin: s.caller.config({}, { socket: `/${"x".repeat(200)}/a.sock` }) }),
    ],
    [
      "the socket is escaped",
      () => ({ stdin: s.caller.config().replace("fairlead.sock", "\\u0066airlead.sock") }),
    ],
    ["a section is there twice", () => ({ stdin: `{"ipam":{"socket":"${socket()}"},"ipam":{}}` })],
    ["a key is there twice", () => ({ stdin: `{"ipam":{"socket":"/x","socket":"${socket()}"}}` })],
    ["a key is spelled in another way", () => ({ stdin: `{"IPAM":{"socket":"${socket()}"}}` })],
    ["the time limit is a fraction", () => ({ stdin: s.caller.config({}, { timeoutSeconds: 0.5 }) })],
    ["stdin is no JSON", () => ({ stdin: `${s.caller.config()}}` })],
    ["stdin is a list", () => ({ stdin: `[${s.caller.config()}]` })],
    ["stdin is empty", () => ({ stdin: "" })],
    [
      "it nests too deep",
      () => ({ stdin: s.caller.config({ a: JSON.parse("[".repeat(101) + "]".repeat(101)) }) }),
    ],
    ["it is too long", () => ({ stdin: s.caller.config({ pad: "x".repeat(LONGEST_REQUEST_BYTES) }) })],
    ["a variable is not plain", () => ({ env: { CNI_ARGS: "K=Zürich" } })],
    ["a variable holds a line feed", () => ({ env: { CNI_PATH: "/a\n" } })],
    ["the request is too long", () => ({ env: { CNI_ARGS: "x".repeat(LONGEST_REQUEST_BYTES) } })],
  ])("when %s", async (_, of) => {
    s.worker.follow(...ANSWER);
    expect(await s.caller.call(of())).toMatchObject(UNKNOWN_VERB);
    expect(s.worker.requests).toEqual([]);
  });

  test("a plugin that somebody starts by hand says what it is", async () => {
    s.worker.follow(...ANSWER);
    const outcome = await s.caller.call({ verb: "" });
    expect(outcome).toMatchObject({ status: 0, stdout: "" });
    expect(outcome.stderr).toMatch(/CNI protocol versions supported: 0\.1\.0/);
  });

  test("another name is no plugin's, whatever the environment says", async () => {
    s.worker.follow(...ANSWER);
    const outcome = await s.caller.call({ plugin: "fairlead", verb: "ADD" });
    expect(outcome.stdout + outcome.stderr).toMatch(/Usage/i);
    expect(s.worker.requests).toEqual([]);
  });
});

describe("stdin comes to the runtime whole", () => {
  /** The version stands at the end: who reads it has read everything. */
  const padded = (bytes: number): string =>
    `{"name":"net","type":"x","pad":"${"x".repeat(bytes)}","cniVersion":"0.3.1"}`;
  const NO_NETNS = { cniVersion: "0.3.1", code: 8, msg: expect.stringContaining("it does not exist") };
  const answered = async (stdin: Call["stdin"], isSlow = false): Promise<unknown> => {
    const { status, stdout } = await s.caller.call({
      verb: "ADD",
      ...(stdin !== undefined && { stdin }),
      isSlow,
    });
    return { status, ...(JSON.parse(stdout) as object) };
  };

  beforeEach(() => s.worker.follow(DECLINE));

  test.each([100, 98_000, LONGEST_REQUEST_BYTES, 200_000, 4_000_000])(
    "%i bytes from a pipe",
    async (bytes) => {
      expect(await answered(padded(bytes))).toMatchObject({ status: 1, ...NO_NETNS });
    },
  );

  test("from a pipe that is written slowly", async () => {
    expect(await answered(padded(200_000), true)).toMatchObject({ status: 1, ...NO_NETNS });
  });

  test.each([100, 200_000])("%i bytes from a file", async (bytes) => {
    const file = join(s.directory, "stdin");
    writeFileSync(file, padded(bytes));
    const fd = openSync(file, "r");
    expect(await answered(fd)).toMatchObject({ status: 1, ...NO_NETNS });
    closeSync(fd);
  });

  test("more than any configuration has", async () => {
    expect(await answered(padded(9_000_000))).toMatchObject({
      code: 7,
      msg: expect.stringMatching(/more than|larger than/),
    });
  });

  test.each<[string, string, object]>([
    ["nothing", "/dev/null", { code: 6, msg: expect.stringContaining("it is empty") }],
    ["what cannot be read", "/", { code: 5, msg: expect.stringContaining("EISDIR") }],
  ])("%s", async (_, path, expected) => {
    const fd = openSync(path, "r");
    expect(await answered(fd)).toMatchObject({ status: 1, ...expected });
    closeSync(fd);
  });

  test("a stdin that is closed is an empty one", async () => {
    const script = 'exec "$0" <&-';
    const argv = ["-c", script, join(FAIRLEAD_DIRECTORY, "fairlead-static")];
    const { status, stdout } = spawnSync("sh", argv, { env: { ...ATTACHMENT, CNI_COMMAND: "ADD" } });
    expect([status, JSON.parse(stdout.toString())]).toEqual([1, expect.objectContaining({ code: 6 })]);
  });
});

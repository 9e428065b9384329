/**
 * The front of the packaged executable: what it hands to a worker and takes from it, and that whatever it leaves to the runtime
 * comes there as if nobody had looked at it.
 *
 * The worker is a scripted one. `FOO` is no verb, so an answer in its name tells who gave it: the worker says what the script
 * says, the plugin that it is unknown.
 */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { START_LIMIT_MS } from "../../lib/resident/conversation.ts";
import { LONGEST_ANSWER_BYTES, LONGEST_REQUEST_BYTES } from "../../lib/resident/frames.ts";
import { PLUGIN_NAMES } from "../../plugins/names.ts";
import { FAIRLEAD_DIRECTORY, requireFairlead } from "../support/lab-plugins.ts";
import { requireTools, waitUntil } from "../support/lab-process.ts";
import { answerOf, DECLINE, ScriptedWorker, type Step, TAKE } from "../support/scripted-worker.ts";

jest.setTimeout(120_000);

/** Time enough for everything else to happen. */
const MARGIN_MS = 400;
/** Longer than a client waits for a worker that begins. */
const TOO_LATE_MS = START_LIMIT_MS + MARGIN_MS;

let directory: string;
let worker: ScriptedWorker;

beforeAll(async () => {
  requireFairlead();
  requireTools("strace");
  directory = mkdtempSync(join(tmpdir(), "front-"));
  worker = await ScriptedWorker.listen(join(directory, "plugin-worker.sock"));
});
afterAll(async () => {
  await worker.close();
  rmSync(directory, { recursive: true });
});

interface Call {
  readonly plugin?: string;
  readonly verb?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Text of the configuration, or what stands for stdin. */
  readonly stdin?: string | Uint8Array | number;
  readonly stdout?: number;
  readonly wrapper?: readonly string[];
  /** Bytes of stdin are written one after the other, with a pause between them. */
  readonly isSlow?: boolean;
}

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const ATTACHMENT = { CNI_CONTAINERID: "c1", CNI_NETNS: "/nonexistent", CNI_IFNAME: "eth0" };

/** Keys in their usual order; `ipam.socket` leads to the worker. */
function config(keys: object = {}, ipam: object = {}): string {
  const socket = join(directory, "fairlead.sock");
  const own = { cniVersion: "0.3.1", name: "net", type: "fairlead-static" };
  return JSON.stringify({ ...own, ipam: { type: "fairlead-static", socket, ...ipam }, ...keys });
}

function call({
  plugin = "fairlead-static",
  verb = "FOO",
  env = {},
  stdin = config(),
  stdout,
  wrapper = [],
  isSlow = false,
}: Call): Promise<Outcome> {
  const [file = "", ...args] = [...wrapper, join(FAIRLEAD_DIRECTORY, plugin)];
  const variables = { ...ATTACHMENT, ...(verb !== "" && { CNI_COMMAND: verb }), ...env };
  const stdio = [typeof stdin === "number" ? stdin : "pipe", stdout ?? "pipe", "pipe"] as const;
  const child = spawn(file, args, { env: variables, stdio: [...stdio] });
  const output: Buffer[] = [];
  const log: Buffer[] = [];
  child.stdout?.on("data", (bytes) => output.push(bytes));
  child.stderr?.on("data", (bytes) => log.push(bytes));
  child.stdin?.on("error", () => {});
  if (typeof stdin !== "number") void feed(child.stdin, Buffer.from(stdin), isSlow);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) =>
      resolve({ status, stdout: Buffer.concat(output).toString(), stderr: Buffer.concat(log).toString() }),
    );
  });
}

async function feed(stream: NodeJS.WritableStream | null, bytes: Buffer, isSlow: boolean): Promise<void> {
  const middle = isSlow ? bytes.length >> 1 : 0;
  if (isSlow) {
    stream?.write(bytes.subarray(0, middle));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  stream?.end(bytes.subarray(middle));
}

const UNKNOWN_VERB = { status: 1, stdout: expect.stringContaining("unknown CNI_COMMAND: FOO") };
const BY_WORKER = { status: 7, stdout: "by the worker", stderr: "" };
const ANSWER: readonly Step[] = [TAKE, { send: answerOf({ exitCode: 7, stdout: "by the worker" }) }];

describe("what is handed over", () => {
  test.each(PLUGIN_NAMES.filter((name) => name.startsWith("fairlead")))(
    "the request of %s",
    async (plugin) => {
      worker.follow(...ANSWER);
      const env = { CNI_ARGS: 'K="a\\b";L=1', CNI_PATH: "/a:/b c", SECRET: "s", CNI_OTHER: "o", LANG: "C" };
      expect(await call({ plugin, env })).toEqual(BY_WORKER);
      const [build] = readFileSync(join(FAIRLEAD_DIRECTORY, "../.digest"), "utf8").split(" ");
      const { CNI_ARGS, CNI_PATH } = env;
      const [{ stdin, ...header } = {}] = worker.requests;
      expect(header).toEqual({
        build,
        plugin,
        env: { ...ATTACHMENT, CNI_COMMAND: "FOO", CNI_ARGS, CNI_PATH },
      });
      expect(Buffer.from(stdin ?? "").toString()).toBe(config());
      expect(worker.requests).toHaveLength(1);
    },
  );

  test("stdin byte by byte, bytes outside of ASCII and all", async () => {
    worker.follow(...ANSWER);
    const stdin = Buffer.concat([Buffer.from(`\n${config({ label: "Zürich" })} `)]);
    stdin[stdin.indexOf("Z")] = 0xff;
    expect(await call({ stdin, isSlow: true })).toEqual(BY_WORKER);
    expect(Buffer.compare(worker.requests[0]?.stdin ?? new Uint8Array(), stdin)).toBe(0);
  });

  test.each<[string, object, object]>([
    ["a time limit", {}, { timeoutSeconds: 3 }],
    ["a strange time limit", {}, { timeoutSeconds: "3" }],
    ["deep values", { a: [[[{ b: [1, -0.5e-7, true, false, null, "\\\u0000é"] }]]] }, {}],
    ["the longest configuration", { pad: "x".repeat(LONGEST_REQUEST_BYTES - 1_000) }, {}],
  ])("a configuration with %s", async (_, keys, ipam) => {
    worker.follow(...ANSWER);
    expect(await call({ stdin: config(keys, ipam) })).toEqual(BY_WORKER);
  });

  test("nothing is done but that: no file is opened, no runtime started", async () => {
    worker.follow(...ANSWER);
    const trace = join(directory, "trace");
    expect(await call({ wrapper: ["strace", "-f", "-qq", "-o", trace] })).toEqual(BY_WORKER);
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
    worker.follow(...script);
    expect(await call({})).toEqual({ ...BY_WORKER, stderr: "log" });
  });

  test("at great length, to a reader that takes its time", async () => {
    worker.follow(TAKE, { send: answerOf({ stdout: long }) });
    expect(await call({})).toEqual({ status: 0, stdout: long, stderr: "" });
  });

  test("into a pipe that does not block and is full", async () => {
    const fifo = join(directory, "fifo");
    spawnSync("mkfifo", [fifo]);
    const reading = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const stdout = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    worker.follow(TAKE, { send: answerOf({ stdout: long }) });
    const ended = call({ stdout });
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
    worker.follow(...script);
    expect(await call({})).toMatchObject(UNKNOWN_VERB);
    expect(worker.requests).toHaveLength(1);
  });

  const socket = (): string => join(directory, "fairlead.sock");
  test.each<[string, () => Call]>([
    ["nobody listens", () => ({ stdin: config({}, { socket: "/nonexistent/a.sock" }) })],
    [
      "the socket's path is too long",
      () => ({ stdin: config({}, { socket: `/${"x".repeat(200)}/a.sock` }) }),
    ],
    ["the socket is escaped", () => ({ stdin: config().replace("fairlead.sock", "\\u0066airlead.sock") })],
    ["a section is there twice", () => ({ stdin: `{"ipam":{"socket":"${socket()}"},"ipam":{}}` })],
    ["a key is there twice", () => ({ stdin: `{"ipam":{"socket":"/x","socket":"${socket()}"}}` })],
    ["a key is spelled in another way", () => ({ stdin: `{"IPAM":{"socket":"${socket()}"}}` })],
    ["the time limit is a fraction", () => ({ stdin: config({}, { timeoutSeconds: 0.5 }) })],
    ["stdin is no JSON", () => ({ stdin: `${config()}}` })],
    ["stdin is a list", () => ({ stdin: `[${config()}]` })],
    ["stdin is empty", () => ({ stdin: "" })],
    ["it nests too deep", () => ({ stdin: config({ a: JSON.parse("[".repeat(101) + "]".repeat(101)) }) })],
    ["it is too long", () => ({ stdin: config({ pad: "x".repeat(LONGEST_REQUEST_BYTES) }) })],
    ["a variable is not plain", () => ({ env: { CNI_ARGS: "K=Zürich" } })],
    ["a variable holds a line feed", () => ({ env: { CNI_PATH: "/a\n" } })],
    ["the request is too long", () => ({ env: { CNI_ARGS: "x".repeat(LONGEST_REQUEST_BYTES) } })],
  ])("when %s", async (_, of) => {
    worker.follow(...ANSWER);
    expect(await call(of())).toMatchObject(UNKNOWN_VERB);
    expect(worker.requests).toEqual([]);
  });

  test("a plugin that somebody starts by hand says what it is", async () => {
    worker.follow(...ANSWER);
    const outcome = await call({ verb: "" });
    expect(outcome).toMatchObject({ status: 0, stdout: "" });
    expect(outcome.stderr).toMatch(/CNI protocol versions supported: 0\.1\.0/);
  });

  test("another name is no plugin's, whatever the environment says", async () => {
    worker.follow(...ANSWER);
    const outcome = await call({ plugin: "fairlead", verb: "ADD" });
    expect(outcome.stdout + outcome.stderr).toMatch(/Usage/i);
    expect(worker.requests).toEqual([]);
  });
});

describe("stdin comes to the runtime whole", () => {
  /** The version stands at the end: who reads it has read everything. */
  const padded = (bytes: number): string =>
    `{"name":"net","type":"x","pad":"${"x".repeat(bytes)}","cniVersion":"0.3.1"}`;
  const NO_NETNS = { cniVersion: "0.3.1", code: 8, msg: expect.stringContaining("it does not exist") };
  const answered = async (stdin: Call["stdin"], isSlow = false): Promise<unknown> => {
    const { status, stdout } = await call({ verb: "ADD", ...(stdin !== undefined && { stdin }), isSlow });
    return { status, ...(JSON.parse(stdout) as object) };
  };

  beforeEach(() => worker.follow(DECLINE));

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
    const file = join(directory, "stdin");
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

describe("a worker that began", () => {
  const lost = {
    code: 11,
    msg: "have a resident worker run fairlead-static ADD: it ended before it answered",
  };

  test.each<[string, readonly Step[]]>([
    ["ends", [TAKE, "end"]],
    ["ends in the middle of its answer", [TAKE, { send: answerOf({ stdout: "x" }).subarray(0, 11) }, "end"]],
    ["announces more than anybody answers", [TAKE, { send: new Uint8Array(12).fill(0xff) }]],
    [
      "announces a little more than that",
      [TAKE, { send: answerOf({ stdout: Buffer.alloc(LONGEST_ANSWER_BYTES - 11) }).subarray(0, 5_000) }],
    ],
  ])("%s: an ADD is not done twice, everything else is", async (_, script) => {
    worker.follow(...script);
    const { status, stdout } = await call({ verb: "ADD" });
    const hint = `try again; DEL removes what is there; the worker listened on ${directory}/plugin-worker.sock`;
    expect([status, JSON.parse(stdout)]).toEqual([1, { cniVersion: "0.3.1", ...lost, details: hint }]);
    expect(await call({})).toMatchObject(UNKNOWN_VERB);
    expect(worker.requests).toHaveLength(2);
  });

  test("the error is in the newest version when the configuration names none that we know", async () => {
    worker.follow(TAKE, "end");
    const { stdout } = await call({ verb: "ADD", stdin: config({ cniVersion: "9.9.9" }) });
    expect(JSON.parse(stdout)).toMatchObject({ cniVersion: "1.1.0", code: 11 });
  });

  test("and does not end in time: nobody does it twice", async () => {
    worker.follow(TAKE);
    const stdin = config({}, { timeoutSeconds: 1 });
    const outcomes = await Promise.all(["ADD", "DEL", 'F"O'].map((verb) => call({ verb, stdin })));
    for (const { status, stdout } of outcomes) {
      expect([status, JSON.parse(stdout)]).toMatchObject([
        1,
        { code: 11, msg: expect.stringContaining("it began, and did not end in time") },
      ]);
    }
    expect(outcomes[2]?.stdout).toContain('run fairlead-static F\\"O: ');
  });
});

describe("a worker that is late", () => {
  /** The plugin's own DEL says so when it meets this. */
  const nameless = (): string => config({ name: "" });
  const BY_PLUGIN = { status: 1, stdout: expect.stringContaining("missing network name") };
  /** The client is held up between giving up and telling so. */
  const holdUp = (): string[] => {
    const delay = `inject=shutdown:delay_enter=${MARGIN_MS * 2 * 1000}`;
    return ["strace", "-qq", "-o", "/dev/null", "-e", "trace=shutdown", "-e", delay];
  };

  test("finds that its word is refused, and does not begin", async () => {
    worker.follow({ waitMs: TOO_LATE_MS }, TAKE, TAKE);
    expect(await call({ verb: "DEL", stdin: nameless() })).toMatchObject(BY_PLUGIN);
    expect(await waitUntil(async () => worker.errors.includes("EPIPE"), 30_000)).toBe(true);
  });

  test("counts when its answer came in the last moment", async () => {
    worker.follow({ waitMs: TOO_LATE_MS }, ...ANSWER);
    expect(await call({ verb: "DEL", stdin: nameless(), wrapper: holdUp() })).toEqual(BY_WORKER);
  });

  test("is waited for when only its word came, and then the plugin may run", async () => {
    worker.follow({ waitMs: TOO_LATE_MS }, TAKE, { waitMs: MARGIN_MS * 3 }, "end");
    expect(await call({ verb: "DEL", stdin: nameless(), wrapper: holdUp() })).toMatchObject(BY_PLUGIN);
  });
});

describe("a result that nobody takes", () => {
  const HANG_UP_MS = 300;
  const unread = async (verb: string, exitCode = 0): Promise<Outcome> => {
    const answer = { send: answerOf({ exitCode, stdout: "{}", stderr: "log " }) };
    worker.follow(TAKE, answer, { waitMs: HANG_UP_MS }, "end");
    const fifo = join(directory, `unread-${verb}-${exitCode}`);
    spawnSync("mkfifo", [fifo]);
    const reading = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const stdout = openSync(fifo, "w");
    closeSync(reading);
    const outcome = await call({ verb, stdin: config({ name: "" }), stdout });
    closeSync(stdout);
    return outcome;
  };

  test("an ADD ends when the worker, which was told, has taken the attachment back", async () => {
    const beganAt = performance.now();
    const { status, stderr } = await unread("ADD");
    expect([status, stderr]).toEqual([1, "log fairlead-static: write stdout: nobody takes the result\n"]);
    // The worker hangs up no sooner.
    expect(performance.now() - beganAt).toBeGreaterThanOrEqual(HANG_UP_MS - 1);
    expect(worker.receipts).toBe(0);
  });

  test.each([
    ["ADD", 0, 1],
    ["ADD", 1, 0],
    ["DEL", 0, 0],
  ])(
    "of %s with exit status %i that is passed on there are %i receipts",
    async (verb, exitCode, receipts) => {
      worker.follow(TAKE, { send: answerOf({ exitCode, stdout: "{}" }) }, { waitMs: MARGIN_MS }, "end");
      expect(await call({ verb })).toMatchObject({ status: exitCode, stdout: "{}" });
      await worker.idle();
      expect(worker.receipts).toBe(receipts);
    },
  );

  test.each([
    ["ADD", 1],
    ["CHECK", 0],
  ])("nothing is taken back of %s with exit status %i", async (verb, exitCode) => {
    const { status, stderr } = await unread(verb, exitCode);
    expect([status, stderr]).toEqual([1, "log fairlead-static: write stdout: nobody takes the result\n"]);
  });
});

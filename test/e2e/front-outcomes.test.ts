/**
 * The front of the packaged executable and a worker that began, that is late, or whose result nobody takes: what the caller
 * hears then, and that nothing is done twice.
 */
import { spawnSync } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { START_LIMIT_MS } from "../../lib/resident/conversation.ts";
import { LONGEST_ANSWER_BYTES } from "../../lib/resident/frames.ts";
import { waitUntil } from "../support/lab/lab-process.ts";
import { ANSWER, BY_WORKER, type Outcome, UNKNOWN_VERB, useFront } from "../support/plugins/front-call.ts";
import { answerOf, type Step, TAKE } from "../support/plugins/scripted-worker.ts";

jest.setTimeout(120_000);

/** Time enough for everything else to happen. */
const MARGIN_MS = 400;
/** Longer than a client waits for a worker that begins. */
const TOO_LATE_MS = START_LIMIT_MS + MARGIN_MS;

const s = useFront();

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
    s.worker.follow(...script);
    const { status, stdout } = await s.caller.call({ verb: "ADD" });
    const hint = `try again; DEL removes what is there; the worker listened on ${s.directory}/plugin-worker.sock`;
    expect([status, JSON.parse(stdout)]).toEqual([1, { cniVersion: "0.3.1", ...lost, details: hint }]);
    expect(await s.caller.call({})).toMatchObject(UNKNOWN_VERB);
    expect(s.worker.requests).toHaveLength(2);
  });

  test("the error is in the newest version when the configuration names none that we know", async () => {
    s.worker.follow(TAKE, "end");
    const { stdout } = await s.caller.call({ verb: "ADD", stdin: s.caller.config({ cniVersion: "9.9.9" }) });
    expect(JSON.parse(stdout)).toMatchObject({ cniVersion: "1.1.0", code: 11 });
  });

  test("and does not end in time: nobody does it twice", async () => {
    s.worker.follow(TAKE);
    const stdin = s.caller.config({}, { timeoutSeconds: 1 });
    const outcomes = await Promise.all(["ADD", "DEL", 'F"O'].map((verb) => s.caller.call({ verb, stdin })));
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
  const nameless = (): string => s.caller.config({ name: "" });
  const BY_PLUGIN = { status: 1, stdout: expect.stringContaining("missing network name") };
  /** The client is held up between giving up and telling so. */
  const holdUp = (): string[] => {
    const delay = `inject=shutdown:delay_enter=${MARGIN_MS * 2 * 1000}`;
    return ["strace", "-qq", "-o", "/dev/null", "-e", "trace=shutdown", "-e", delay];
  };

  test("finds that its word is refused, and does not begin", async () => {
    s.worker.follow({ waitMs: TOO_LATE_MS }, TAKE, TAKE);
    expect(await s.caller.call({ verb: "DEL", stdin: nameless() })).toMatchObject(BY_PLUGIN);
    expect(await waitUntil(async () => s.worker.errors.includes("EPIPE"), 30_000)).toBe(true);
  });

  test("counts when its answer came in the last moment", async () => {
    s.worker.follow({ waitMs: TOO_LATE_MS }, ...ANSWER);
    expect(await s.caller.call({ verb: "DEL", stdin: nameless(), wrapper: holdUp() })).toEqual(BY_WORKER);
  });

  test("is waited for when only its word came, and then the plugin may run", async () => {
    s.worker.follow({ waitMs: TOO_LATE_MS }, TAKE, { waitMs: MARGIN_MS * 3 }, "end");
    expect(await s.caller.call({ verb: "DEL", stdin: nameless(), wrapper: holdUp() })).toMatchObject(
      BY_PLUGIN,
    );
  });
});

describe("a result that nobody takes", () => {
  const HANG_UP_MS = 300;
  const unread = async (verb: string, exitCode = 0): Promise<Outcome> => {
    const answer = { send: answerOf({ exitCode, stdout: "{}", stderr: "log " }) };
    s.worker.follow(TAKE, answer, { waitMs: HANG_UP_MS }, "end");
    const fifo = join(s.directory, `unread-${verb}-${exitCode}`);
    spawnSync("mkfifo", [fifo]);
    const reading = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const stdout = openSync(fifo, "w");
    closeSync(reading);
    const outcome = await s.caller.call({ verb, stdin: s.caller.config({ name: "" }), stdout });
    closeSync(stdout);
    return outcome;
  };

  test("an ADD ends when the worker, which was told, has taken the attachment back", async () => {
    const { status, stderr } = await unread("ADD");
    expect(s.worker.hangUps).toBe(1);
    expect([status, stderr]).toEqual([1, "log fairlead-static: write stdout: nobody takes the result\n"]);
    expect(s.worker.receipts).toBe(0);
  });

  test.each([
    ["ADD", 0, 1],
    ["ADD", 1, 0],
    ["DEL", 0, 0],
  ])(
    "of %s with exit status %i that is passed on there are %i receipts",
    async (verb, exitCode, receipts) => {
      s.worker.follow(TAKE, { send: answerOf({ exitCode, stdout: "{}" }) }, { waitMs: MARGIN_MS }, "end");
      expect(await s.caller.call({ verb })).toMatchObject({ status: exitCode, stdout: "{}" });
      await s.worker.idle();
      expect(s.worker.receipts).toBe(receipts);
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

import {
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { FairleadError } from "../lib/errors.ts";
import type { ReleaseRequest, ReleaseResponse, ServiceInfo } from "../lib/ipam/api.ts";
import type { LogFields, Logger } from "../lib/log.ts";
import { openTestService, TEST_CALLER, TemporaryDirectory } from "../test/support/ipam/ipam-fronts.ts";
import { waitUntil } from "../test/support/lab/lab-process.ts";
import { settleTurns } from "../test/support/turns.ts";
import { createValidators } from "./fronts/schema/validation.ts";
import { type IntentOptions, IntentReplay } from "./intents.ts";

const validators = createValidators();
const key = (containerId: string) => ({ networkName: "web", containerId, ifname: "eth0" });

let directory: TemporaryDirectory;
let dir: string;
let logged: string[];
let released: ReleaseRequest[];

beforeEach(() => {
  directory = new TemporaryDirectory();
  dir = directory.file("release-intents");
  logged = [];
  released = [];
});
afterEach(() => directory.remove());

function recorder(): Logger {
  const record = (level: string) => (fields: LogFields, message: string) => {
    logged.push(`${level} ${message} ${fields["file"] ?? fields["path"] ?? fields["releases"] ?? ""}`);
  };
  const [debug, info, warn, error] = ["debug", "info", "warn", "error"].map(record);
  if (!debug || !info || !warn || !error) throw new Error("no logger");
  const logger: Logger = { debug, info, warn, error, child: () => logger };
  return logger;
}

/** Where the service stands when it is asked. */
const REVISION = 42;

/** A service of which only what the replay needs is there. */
function serviceWith(release: (request: ReleaseRequest) => Promise<ReleaseResponse>) {
  return { release, info: async () => ({ revision: REVISION }) as ServiceInfo };
}

function replay(over: Partial<IntentOptions> = {}): IntentReplay {
  const service = serviceWith(async (request: ReleaseRequest) => {
    released.push(request);
    return { released: [], kept: [] };
  });
  const now = (): number => Date.now() + 60_000;
  return new IntentReplay({
    dir,
    service,
    validators,
    caller: TEST_CALLER,
    logger: recorder(),
    now,
    ...over,
  });
}

function leave(name: string, content: unknown): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, name), typeof content === "string" ? content : JSON.stringify(content));
}

test("no directory, nothing to do", async () => {
  expect(await replay().replay()).toBe(0);
  expect(logged).toEqual([]);
});

test("intents are carried out, then file and directory are gone", async () => {
  leave("a.json", { key: key("c1"), at: "2026-01-31T12:00:00.000Z", attempt: "d1" });
  leave("b.json", { key: key("c2"), at: "2026-01-31T12:00:01.000Z" });
  expect(await replay().replay()).toBe(2);
  // Several are under way at once: which of them arrives first is not said.
  expect(released.sort((a, b) => a.key.containerId.localeCompare(b.key.containerId))).toEqual([
    { key: key("c1"), attempt: "d1", upToSequence: REVISION },
    { key: key("c2"), acquiredBefore: "2026-01-31T12:00:01.000Z", upToSequence: REVISION },
  ]);
  expect(existsSync(dir)).toBe(false);
  expect(logged).toEqual(["info replayed releases that plugins could not deliver 2"]);
});

test("no clock decides: an intent from after the clock was set back releases what was held when it was found", async () => {
  const { service, clock } = await openTestService();
  await service.createNetwork({ name: "web" }, TEST_CALLER);
  const hourAgo = new Date(clock.now() - 3_600_000).toISOString();
  await service.acquire({ key: key("gone") }, TEST_CALLER);
  leave("a.json", { key: key("gone"), at: hourAgo, attempt: "del" });
  expect(await replay({ service }).replay()).toBe(1);
  expect(await service.listLeases({ state: "bound" })).toEqual([]);
  await service.close();
});

test("an attachment that came after the intent was seen keeps what it got", async () => {
  const { service } = await openTestService();
  await service.createNetwork({ name: "web" }, TEST_CALLER);
  await service.acquire({ key: key("c1") }, TEST_CALLER);
  leave("a.json", { key: key("c1"), attempt: "del" });
  const late = {
    info: () => service.info(),
    async release(request: ReleaseRequest) {
      await service.acquire({ key: key("c1"), attempt: "newer" }, TEST_CALLER);
      return service.release(request, TEST_CALLER);
    },
  };
  expect(await replay({ service: late }).replay()).toBe(1);
  expect(existsSync(dir)).toBe(false);
  expect(await service.listLeases({ state: "bound" })).toHaveLength(1);
  await service.close();
});

test("an ADD that gave up and whose attempt nobody knows any more gives back what it was granted, if it was new", async () => {
  const { service } = await openTestService();
  await service.createNetwork({ name: "web" }, TEST_CALLER);
  await service.acquire({ key: key("old") }, TEST_CALLER);
  await service.acquire({ key: key("new") }, TEST_CALLER);
  const gaveUp = { attempt: "undo", attempts: ["forgotten"], onlyAttempts: true };
  leave("a.json", { key: key("old"), ...gaveUp });
  leave("b.json", { key: key("new"), ...gaveUp, wasNew: true });
  expect(await replay({ service }).replay()).toBe(2);
  const bound = await service.listLeases({ state: "bound" });
  expect(bound.map(({ containerId }) => containerId)).toEqual(["old"]);
  await service.close();
});

test("of what older programs left, an instant that spares something is set aside, not believed", async () => {
  const { service, clock } = await openTestService();
  await service.createNetwork({ name: "web" }, TEST_CALLER);
  const at = new Date(clock.now() + 1_000).toISOString();
  await service.acquire({ key: key("old") }, TEST_CALLER);
  clock.advance(2_000);
  await service.acquire({ key: key("new") }, TEST_CALLER);
  leave("a.json", { key: key("old"), at });
  leave("b.json", { key: key("new"), at });
  expect(await replay({ service }).replay()).toBe(1);
  expect(readdirSync(`${dir}.bad`)).toEqual([expect.stringMatching(/^b\./)]);
  const bound = await service.listLeases({ state: "bound" });
  expect(bound.map(({ containerId }) => containerId)).toEqual(["new"]);
  await service.close();
});

test("a file stays while its release fails, and is logged once", async () => {
  leave("a.json", { key: key("c1"), at: "2026-01-31T12:00:00.000Z" });
  let fails = true;
  const service = serviceWith(async (request: ReleaseRequest) => {
    if (fails) throw new FairleadError({ code: "unavailable", operation: "release", reason: "disk full" });
    released.push(request);
    return { released: [], kept: [] };
  });
  const intents = replay({ service });
  expect(await intents.replay()).toBe(0);
  expect(await intents.replay()).toBe(0);
  expect(readdirSync(dir)).toHaveLength(1);
  expect(logged).toHaveLength(1);
  fails = false;
  expect(await intents.replay()).toBe(1);
  expect(existsSync(dir)).toBe(false);
});

test("what cannot be taken is told once, and harms no other", async () => {
  // With the ending of what is worked on it is longer than a name may be.
  const long = `${"x".repeat(245)}.json`;
  leave(long, { key: key("c1"), attempt: "d1" });
  leave("a.json", { key: key("c2"), attempt: "d2" });
  const intents = replay();
  expect(await intents.replay()).toBe(1);
  expect(await intents.replay()).toBe(0);
  expect(readdirSync(dir)).toEqual([long]);
  const warnings = logged.filter((line) => line.startsWith("warn"));
  expect(warnings).toEqual([`warn cannot replay a release yet: trying again ${join(dir, long)}`]);
});

test("a directory that is none is told of, once", async () => {
  writeFileSync(dir, "");
  const intents = replay();
  expect(await intents.replay()).toBe(0);
  expect(await intents.replay()).toBe(0);
  expect(logged).toEqual([`warn cannot replay a release yet: trying again ${dir}`]);
});

test("an intent that a plugin writes meanwhile is not lost with the one under way", async () => {
  leave("a.json", { key: key("c1"), at: "2026-01-31T12:00:00.000Z" });
  const service = serviceWith(async (request: ReleaseRequest) => {
    if (released.length === 0) leave("a.json", { key: key("c1"), at: "2026-01-31T13:00:00.000Z" });
    released.push(request);
    return { released: [], kept: [] };
  });
  await replay({ service }).replay();
  expect(released.map(({ acquiredBefore }) => acquiredBefore)).toEqual([
    "2026-01-31T12:00:00.000Z",
    "2026-01-31T13:00:00.000Z",
  ]);
});

test("what a killed server had taken is carried out", async () => {
  leave("a.json.taken", { key: key("c1"), at: "2026-01-31T12:00:00.000Z" });
  expect(await replay().replay()).toBe(1);
  expect(existsSync(dir)).toBe(false);
});

test.each([
  ["not JSON", "{"],
  ["no object", "5"],
  ["no key", { at: "2026-01-31T12:00:00.000Z" }],
  ["no instant", { key: key("c1"), at: "yesterday" }],
  ["a wrong key", { key: { networkName: "web" }, at: "2026-01-31T12:00:00.000Z" }],
  ["too large", `"${"x".repeat(70_000)}"`],
])("a file with %s is set aside and logged, and the others are carried out", async (_name, content) => {
  leave("bad.json", content);
  leave("good.json", { key: key("c1"), at: "2026-01-31T12:00:00.000Z" });
  expect(await replay().replay()).toBe(1);
  expect(existsSync(dir)).toBe(false);
  const [file] = readdirSync(`${dir}.bad`);
  expect(file).toMatch(/^bad\.\d+\.json$/);
  expect(logged.filter((line) => line.startsWith("error"))).toEqual([
    expect.stringContaining(`${dir}.bad/${file}`),
  ]);
});

test("several files that make no sense are set aside, where root alone reads them", async () => {
  for (const name of ["a.json", "b.json"]) leave(name, "{");
  expect(await replay().replay()).toBe(0);
  expect(existsSync(dir)).toBe(false);
  expect(readdirSync(`${dir}.bad`).sort()).toEqual(
    [/^a\./, /^b\./].map((name) => expect.stringMatching(name)),
  );
  expect(statSync(`${dir}.bad`).mode & 0o777).toBe(0o700);
});

test("a link to a file is no intent, wherever it leads", async () => {
  const elsewhere = directory.file("elsewhere");
  writeFileSync(elsewhere, JSON.stringify({ key: key("c1"), attempt: "d1" }));
  mkdirSync(dir);
  symlinkSync(elsewhere, join(dir, "a.json"));
  expect(await replay().replay()).toBe(0);
  expect([released, readdirSync(`${dir}.bad`).length]).toEqual([[], 1]);
});

test("an intent has at most 64 KiB", async () => {
  const text = (containerId: string, length: number) =>
    JSON.stringify({ key: key(containerId), attempt: "d1" }).padEnd(length);
  leave("a.json", text("c1", 65_536));
  leave("b.json", text("c2", 65_537));
  expect(await replay().replay()).toBe(1);
  expect(released.map(({ key: { containerId } }) => containerId)).toEqual(["c1"]);
  expect(readdirSync(`${dir}.bad`)).toEqual([expect.stringMatching(/^b\./)]);
});

test("an intent may have any name that ends as theirs do", async () => {
  leave("a.taken.json", { key: key("c1"), attempt: "d1" });
  expect(await replay().replay()).toBe(1);
  expect(existsSync(dir)).toBe(false);
});

test("a file that may still be being written is given time", async () => {
  leave("bad.json", "{");
  const justNow = replay({ now: () => Date.now() });
  expect(await justNow.replay()).toBe(0);
  expect(readdirSync(dir)).toHaveLength(1);
  const [name = ""] = readdirSync(dir);
  const past = new Date(Date.now() - 10_000);
  utimesSync(join(dir, name), past, past);
  await justNow.replay();
  expect(existsSync(dir)).toBe(false);
  expect(readdirSync(`${dir}.bad`)).toHaveLength(1);
});

test("other files stay, and with them the directory", async () => {
  leave("a.json", { key: key("c1"), at: "2026-01-31T12:00:00.000Z" });
  leave("a.json.123.tmp", "half");
  expect(await replay().replay()).toBe(1);
  expect(readdirSync(dir)).toEqual(["a.json.123.tmp"]);
  expect(logged).toEqual([expect.stringMatching(/^info replayed/)]);
});

test("a directory that is empty and cannot be removed is told of", async () => {
  mkdirSync(`${dir}.elsewhere`);
  symlinkSync(`${dir}.elsewhere`, dir);
  expect(await replay().replay()).toBe(0);
  expect(logged).toEqual([`warn cannot replay a release yet: trying again ${dir}`]);
});

test("what a plugin left that was killed while it wrote is removed, and with it the directory", async () => {
  leave(".fairlead-tmp-4711-0", "{");
  const soon = replay({ now: () => Date.now() + 5_000 });
  await soon.replay();
  expect(readdirSync(dir)).toEqual([".fairlead-tmp-4711-0"]);
  await replay({ now: () => Date.now() + 15_000 }).replay();
  expect(existsSync(dir)).toBe(false);
  expect(logged).toEqual([]);
});

test("new intents are found while it runs, and stop waits for the pass under way", async () => {
  const intents = replay();
  intents.start();
  leave("a.json", { key: key("c1"), at: "2026-01-31T12:00:00.000Z" });
  expect(await waitUntil(async () => !existsSync(dir), 30_000)).toBe(true);
  await intents.stop();
  expect(released).toHaveLength(1);
  rmSync(dir, { recursive: true, force: true });
});

test("stop waits for a pass that has begun", async () => {
  leave("a.json", { key: key("c1"), attempt: "d1" });
  const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const service = serviceWith(async () => {
    asked.resolve();
    await gate.promise;
    return { released: [], kept: [] };
  });
  const intents = replay({ service });
  const pass = intents.replay();
  await asked.promise;
  let isStopped = false;
  const stopping = intents.stop().then(() => {
    isStopped = true;
  });
  await settleTurns();
  expect(isStopped).toBe(false);
  gate.resolve();
  await stopping;
  expect(await pass).toBe(1);
});

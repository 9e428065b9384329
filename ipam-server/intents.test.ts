import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FairleadError } from "../lib/errors.ts";
import type { ReleaseRequest } from "../lib/ipam/api.ts";
import type { LogFields, Logger } from "../lib/log.ts";
import { openTestService, TEST_CALLER, TemporaryDirectory } from "../test/support/ipam-fronts.ts";
import { type IntentOptions, IntentReplay } from "./intents.ts";
import { createValidators } from "./schema/validation.ts";

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
    logged.push(`${level} ${message} ${fields["file"] ?? fields["path"] ?? ""}`);
  };
  const [debug, info, warn, error] = ["debug", "info", "warn", "error"].map(record);
  if (!debug || !info || !warn || !error) throw new Error("no logger");
  const logger: Logger = { debug, info, warn, error, child: () => logger };
  return logger;
}

function replay(over: Partial<IntentOptions> = {}): IntentReplay {
  const service = {
    async release(request: ReleaseRequest) {
      released.push(request);
      return { released: [] };
    },
  };
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
  leave("a.json", { key: key("c1"), at: "2026-01-31T12:00:00.000Z" });
  leave("b.json", { key: key("c2"), at: "2026-01-31T12:00:01.000Z" });
  expect(await replay().replay()).toBe(2);
  // Several are under way at once: which of them arrives first is not said.
  expect(released.sort((a, b) => a.key.containerId.localeCompare(b.key.containerId))).toEqual([
    { key: key("c1"), acquiredBefore: "2026-01-31T12:00:00.000Z" },
    { key: key("c2"), acquiredBefore: "2026-01-31T12:00:01.000Z" },
  ]);
  expect(existsSync(dir)).toBe(false);
});

test("a real service releases what was acquired before, and spares what came after", async () => {
  const { service, clock } = await openTestService();
  await service.createNetwork({ name: "web" }, TEST_CALLER);
  const at = new Date(clock.now() + 1_000).toISOString();
  await service.acquire({ key: key("old") }, TEST_CALLER);
  clock.advance(2_000);
  await service.acquire({ key: key("new") }, TEST_CALLER);
  leave("a.json", { key: key("old"), at });
  leave("b.json", { key: key("new"), at });
  expect(await replay({ service }).replay()).toBe(2);
  const bound = await service.listLeases({ state: "bound" });
  expect(bound.map(({ containerId }) => containerId)).toEqual(["new"]);
  await service.close();
});

test("a file stays while its release fails, and is logged once", async () => {
  leave("a.json", { key: key("c1"), at: "2026-01-31T12:00:00.000Z" });
  let fails = true;
  const service = {
    async release(request: ReleaseRequest) {
      if (fails) throw new FairleadError({ code: "unavailable", operation: "release", reason: "disk full" });
      released.push(request);
      return { released: [] };
    },
  };
  const intents = replay({ service });
  expect(await intents.replay()).toBe(0);
  expect(await intents.replay()).toBe(0);
  expect(readdirSync(dir)).toHaveLength(1);
  expect(logged).toHaveLength(1);
  fails = false;
  expect(await intents.replay()).toBe(1);
  expect(existsSync(dir)).toBe(false);
});

test("an intent that a plugin writes meanwhile is not lost with the one under way", async () => {
  leave("a.json", { key: key("c1"), at: "2026-01-31T12:00:00.000Z" });
  const service = {
    async release(request: ReleaseRequest) {
      if (released.length === 0) leave("a.json", { key: key("c1"), at: "2026-01-31T13:00:00.000Z" });
      released.push(request);
      return { released: [] };
    },
  };
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
});

test("new intents are found while it runs, and stop waits for the pass under way", async () => {
  const intents = replay();
  intents.start();
  leave("a.json", { key: key("c1"), at: "2026-01-31T12:00:00.000Z" });
  while (existsSync(dir)) await new Promise((resolve) => setTimeout(resolve, 20));
  await intents.stop();
  expect(released).toHaveLength(1);
  rmSync(dir, { recursive: true, force: true });
});

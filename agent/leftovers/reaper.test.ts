import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { silentLogger } from "../../lib/log.ts";
import { evidenceNotes } from "../../lib/runtime/stale.ts";
import { TemporaryDirectory } from "../../test/support/ipam/ipam-fronts.ts";
import { settleTurns } from "../../test/support/turns.ts";
import type { AgentContext } from "../base/part.ts";
import { findGone, startReaper } from "./reaper.ts";

const directory = new TemporaryDirectory();
const results = directory.file("cache/results");

beforeEach(() => mkdirSync(results, { recursive: true }));
afterEach(() => rmSync(results, { recursive: true }));
afterAll(() => directory.remove());

const context = {
  config: { cniCacheDir: directory.file("cache"), serverSocket: directory.file("s") },
  logger: silentLogger,
} as unknown as AgentContext;

function putEntry(
  containerId: string,
  netns: string,
  { isOurs = true, links = ["nosuchveth"] }: { isOurs?: boolean; links?: string[] } = {},
): string {
  const file = join(results, `net-${containerId}-eth1`);
  const notes = { ...evidenceNotes("/proc/self/ns/net", links) };
  writeFileSync(
    file,
    JSON.stringify({
      kind: "cniCacheV1",
      containerId,
      config: btoa(JSON.stringify({ cniVersion: "1.0.0", name: "net", plugins: [{ type: "p" }] })),
      ifName: "eth1",
      networkName: "net",
      netns,
      result: { cniVersion: "1.0.0" },
      ...(isOurs && { fairlead: notes }),
    }),
  );
  return file;
}

test("finds containers that are gone, and no others", async () => {
  const gone = putEntry("gone", "/nosuch/netns");
  putEntry("alive", "/proc/self/ns/net");
  putEntry("of-another-runtime", "/nosuch/netns", { isOurs: false });
  writeFileSync(join(results, "broken"), "{");
  expect((await findGone(results)).map(({ file }) => file)).toEqual([gone]);
});

test("a file that is being written is no entry, and nothing is left open", async () => {
  const gone = putEntry("gone", "/nosuch/netns");
  renameSync(putEntry("early", "/nosuch/netns"), join(results, ".fairlead-tmp-1-0"));
  const sockets = () =>
    readdirSync("/proc/self/fd").filter((fd) => linkOf(`/proc/self/fd/${fd}`).startsWith("socket:")).length;
  const before = sockets();
  expect((await findGone(results)).map(({ file }) => file)).toEqual([gone]);
  expect(sockets()).toBe(before);
});

/** Empty: the descriptor was that of the directory's listing. */
function linkOf(path: string): string {
  return lstatSync(path, { throwIfNoEntry: false }) ? readlinkSync(path) : "";
}

test("a container whose link is there is not gone, though its namespace cannot be found", async () => {
  putEntry("there", "/nosuch/netns", { links: ["nosuchveth", "lo"] });
  const gone = putEntry("gone", "/nosuch/netns");
  expect((await findGone(results)).map(({ file }) => file)).toEqual([gone]);
});

test("nothing is handed over where nothing is gone", async () => {
  const handed: (readonly string[])[] = [];
  const twice = Promise.withResolvers<void>();
  putEntry("alive", "/proc/self/ns/net");
  let looks = 0;
  const config = {
    ...context.config,
    get cniCacheDir() {
      looks++;
      if (looks === 3) twice.resolve();
      return directory.file("cache");
    },
  };
  const reap = async (files: readonly string[]): Promise<void> => void handed.push(files);
  const part = await startReaper({ ...context, config } as AgentContext, { reap, intervalMs: 1 });
  await twice.promise;
  await part.close();
  expect(handed).toEqual([]);
});

describe("without wishes", () => {
  const { execPath } = process;
  afterEach(() => {
    process.execPath = execPath;
  });

  test("fairlead reap is what takes back, with the agent's places, and says it of who was gone", async () => {
    const said = directory.file("said");
    const program = directory.file("fairlead-test");
    writeFileSync(program, `#!/bin/sh\nprintf '%s\\n' "$@" > ${said}.part && mv ${said}.part ${said}\n`, {
      mode: 0o755,
    });
    process.execPath = program;
    const gone = putEntry("gone", "/nosuch/netns");
    const told = Promise.withResolvers<unknown>();
    const logger = { ...silentLogger, info: (fields: unknown) => told.resolve(fields), warn: told.reject };
    const part = await startReaper({ ...context, logger } as unknown as AgentContext);
    expect(await told.promise).toEqual({ container: "gone", network: "net" });
    await part.close();
    expect(readFileSync(said, "utf8").trim().split("\n")).toEqual([
      "reap",
      "--socket",
      directory.file("s"),
      "--cni-cache-dir",
      directory.file("cache"),
      "--",
      gone,
    ]);
  });

  test("what is no executable of ours takes nothing back, and says so", async () => {
    const warned: unknown[] = [];
    const logger = { ...silentLogger, warn: (...line: unknown[]) => void warned.push(line) };
    const part = await startReaper({ ...context, logger } as unknown as AgentContext);
    await part.close();
    expect(warned).toEqual([
      [{ executable: execPath }, "agent: nothing is taken back: this is not the compiled executable"],
    ]);
  });
});

test("a cache that does not exist holds nothing; one that cannot be read is no empty one", async () => {
  expect(await findGone(`${results}/nosuch`)).toEqual([]);
  const file = putEntry("gone", "/nosuch/netns");
  await expect(findGone(file)).rejects.toMatchObject({ code: "ENOTDIR" });
});

test("hands over what is gone, at the start and again, and goes on when that fails", async () => {
  const gone = putEntry("gone", "/nosuch/netns");
  const handed: (readonly string[])[] = [];
  const [twice, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const reap = async (files: readonly string[]): Promise<void> => {
    handed.push(files);
    if (handed.length === 2) {
      twice.resolve();
      await gate.promise;
    }
    throw new Error("the service is away");
  };
  const warned: unknown[] = [];
  const logger = { ...silentLogger, warn: (...line: unknown[]) => void warned.push(line) };
  const part = await startReaper({ ...context, logger } as AgentContext, { reap, intervalMs: 1 });
  await twice.promise;
  let isClosed = false;
  const closing = part.close().then(() => {
    isClosed = true;
  });
  await settleTurns();
  expect(isClosed).toBe(false);
  gate.resolve();
  // Closed means that the loop is over: nothing is handed over after that.
  await closing;
  expect(handed).toEqual([[gone], [gone]]);
  const warning = [{ reason: "the service is away" }, "agent: containers that are gone still hold addresses"];
  expect(warned).toEqual([warning, warning]);
});

test.each([
  ["it was taken back", async () => {}],
  ["taking it back failed", () => Promise.reject(new Error("the service is away"))],
])("looks again when the interval is over, and no sooner: %s", async (_what, end) => {
  jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick", "queueMicrotask"] });
  putEntry("gone", "/nosuch/netns");
  let handed = Promise.withResolvers<void>();
  const reap = (): Promise<void> => {
    handed.resolve();
    return end();
  };
  const part = await startReaper(context, { reap, intervalMs: 5_000 });
  await handed.promise;
  await settleTurns();
  handed = Promise.withResolvers<void>();
  jest.advanceTimersByTime(4_999);
  expect(jest.getTimerCount()).toBe(1);
  jest.advanceTimersByTime(1);
  await handed.promise;
  await part.close();
  jest.useRealTimers();
});

test("hands over 64 at a time, and says of none that it was taken back before it was handed over", async () => {
  for (let number = 0; number < 70; number++) putEntry(`gone${number}`, "/nosuch/netns");
  const handed = new Set<string>();
  const told = new Set<string>();
  const both = Promise.withResolvers<void>();
  const logger = {
    ...silentLogger,
    info: (fields: object) => void told.add((fields as { container: string }).container),
  };
  const sizes: number[] = [];
  const reap = async (files: readonly string[]): Promise<void> => {
    sizes.push(files.length);
    for (const file of files) {
      handed.add(/gone\d+/.exec(file)?.[0] ?? "");
      rmSync(file);
    }
    const early = [...told].filter((container) => !handed.has(container));
    if (early.length > 0) both.reject(new Error(`told too early: ${early}`));
    if (handed.size === 70) both.resolve();
  };
  const part = await startReaper({ ...context, logger } as unknown as AgentContext, { reap, intervalMs: 1 });
  await both.promise.finally(() => part.close());
  expect(told).toEqual(handed);
  expect(sizes).toEqual([64, 6]);
});

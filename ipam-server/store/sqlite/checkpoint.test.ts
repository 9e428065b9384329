import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Checkpointer, lengthenLog } from "./checkpoint.ts";

const KIB = 1024;

let directory: string;
let database: DatabaseSync;
let checkpointer: Checkpointer;
const errors: unknown[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-checkpoint-"));
  const path = join(directory, "x.db");
  database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (data BLOB)");
  checkpointer = new Checkpointer({ database, onError: (error) => errors.push(error) });
});
afterEach(() => {
  checkpointer.close();
  database.close();
  rmSync(directory, { recursive: true });
  expect(errors.splice(0)).toEqual([]);
});

const logKiB = () => statSync(join(directory, "x.db-wal")).size / KIB;
/** Grows only when the log is copied into it. */
const databaseKiB = () => statSync(join(directory, "x.db")).size / KIB;

function write(kib: number): void {
  database.prepare("INSERT INTO t VALUES (zeroblob(?))").run(kib * KIB);
  checkpointer.noteCommit(kib * KIB);
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 20) {
    if (waited > 10_000) throw new Error("it did not happen within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("a long log is copied back in the next pause, not inside a commit, and its file is used again", async () => {
  for (let n = 0; n < 8; n++) write(KIB);
  expect(databaseKiB()).toBeLessThan(KIB);
  await until(() => databaseKiB() > 8 * KIB);
  expect(database.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 8 });
  const before = logKiB();
  for (let n = 0; n < 4; n++) write(KIB);
  expect(logKiB()).toBe(before);
});

test("a short log may wait", () => {
  jest.useFakeTimers();
  write(KIB);
  const before = databaseKiB();
  jest.advanceTimersByTime(60_000);
  expect(databaseKiB()).toBe(before);
  // The same pause does copy a long one.
  for (let n = 0; n < 8; n++) write(KIB);
  jest.advanceTimersByTime(60_000);
  expect(databaseKiB()).toBeGreaterThan(8 * KIB);
  jest.useRealTimers();
});

test("a log that never gets a pause is copied once it is very long", async () => {
  let written = 0;
  for (; written < 256 && databaseKiB() < KIB; written++) {
    write(KIB);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(written).toBeLessThan(200);
  expect(logKiB()).toBeGreaterThan(128 * KIB);
  expect(logKiB()).toBeLessThan(192 * KIB);
});

test("a log that was lengthened is used from where it was, and read by who comes next", () => {
  const path = join(directory, "x.db");
  write(64);
  const before = logKiB();
  lengthenLog(path);
  const long = logKiB();
  expect(long).toBeGreaterThan(4 * KIB);
  write(64);
  expect(logKiB()).toBe(long);
  expect(before).toBeLessThan(long);
  // As it is after a crash: the files of a database that nobody closed.
  const crashed = join(directory, "crashed.db");
  copyFileSync(path, crashed);
  copyFileSync(`${path}-wal`, `${crashed}-wal`);
  const next = new DatabaseSync(crashed);
  expect(next.prepare("SELECT count(*) AS n, sum(length(data)) AS bytes FROM t").get()).toEqual({
    n: 2,
    bytes: 128 * KIB,
  });
  next.close();
});

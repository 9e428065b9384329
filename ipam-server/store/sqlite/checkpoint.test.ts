import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { settleTurns } from "../../../test/support/turns.ts";
import { Checkpointer, lengthenLog, logLength } from "./checkpoint.ts";

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
  checkpointer = new Checkpointer({ database, path, onError: (error) => errors.push(error) });
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

test.each([
  ["as it is", 1],
  ["three times too high", 3],
  ["three times too low", 1 / 3],
])(
  "a log that never gets a pause stays below 64 MiB, where commits are estimated %s",
  async (_name, factor) => {
    for (let written = 0; written < 120; written++) {
      database.prepare("INSERT INTO t VALUES (zeroblob(?))").run(KIB * KIB);
      checkpointer.noteCommit(KIB * KIB * factor);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(databaseKiB()).toBeGreaterThan(48 * KIB);
    expect(logKiB()).toBeGreaterThan(16 * KIB);
    expect(logKiB()).toBeLessThan(64 * KIB);
  },
  60_000,
);

test("a log that is too long is not copied any more by one that was closed meanwhile", async () => {
  for (let written = 0; written < 40; written++) write(KIB);
  checkpointer.close();
  const before = databaseKiB();
  await settleTurns();
  expect(databaseKiB()).toBe(before);
});

test("what fails is told, and neither the commit nor the next occasion suffers from it", () => {
  jest.useFakeTimers();
  try {
    const path = join(directory, "elsewhere.db");
    checkpointer.close();
    checkpointer = new Checkpointer({ database, path, onError: (error) => errors.push(error) });
    // Its log cannot be measured; the estimate counts instead.
    for (let n = 0; n < 9; n++) write(KIB);
    expect(errors.splice(0)).toEqual([expect.objectContaining({ code: "ENOENT" })]);
    database.exec("BEGIN");
    database.exec("INSERT INTO t VALUES (NULL)");
    jest.advanceTimersByTime(50);
    expect(errors.splice(0)).toEqual([expect.objectContaining({ message: "database table is locked" })]);
    database.exec("COMMIT");
    for (let n = 0; n < 5; n++) write(KIB);
    jest.advanceTimersByTime(50);
    expect(databaseKiB()).toBeGreaterThan(13 * KIB);
  } finally {
    jest.useRealTimers();
  }
});

test("a pause begins with the last commit", () => {
  jest.useFakeTimers();
  try {
    for (let n = 0; n < 7; n++) write(KIB);
    jest.advanceTimersByTime(40);
    write(1);
    jest.advanceTimersByTime(40);
    expect(databaseKiB()).toBeLessThan(KIB);
    jest.advanceTimersByTime(10);
    expect(databaseKiB()).toBeGreaterThan(7 * KIB);
  } finally {
    jest.useRealTimers();
  }
});

test("of a log that was begun anew in a long file, what is new counts", () => {
  const path = join(directory, "x.db");
  for (let n = 0; n < 8; n++) write(KIB);
  const long = logLength(path);
  expect(long / KIB).toBeGreaterThan(8 * KIB - 1);
  database.exec("PRAGMA wal_checkpoint(RESTART)");
  write(64);
  expect(logKiB() * KIB).toBeGreaterThan(long);
  expect(logLength(path)).toBeGreaterThan(64 * KIB);
  expect(logLength(path)).toBeLessThan(128 * KIB);
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

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Checkpointer } from "./checkpoint.ts";

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

function write(kib: number): void {
  database.prepare("INSERT INTO t VALUES (zeroblob(?))").run(kib * KIB);
  checkpointer.noteCommit();
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 20) {
    if (waited > 10_000) throw new Error("it did not happen within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("a long log is copied back in the next pause, not inside a commit", async () => {
  for (let n = 0; n < 8; n++) write(KIB);
  expect(logKiB()).toBeGreaterThan(8 * KIB);
  await until(() => logKiB() === 0);
  expect(database.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 8 });
});

test("a short log may wait", async () => {
  write(KIB);
  const before = logKiB();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(logKiB()).toBe(before);
});

test("a log that never gets a pause is copied once it is very long", async () => {
  let longest = 0;
  for (let n = 0; n < 256 && longest <= logKiB(); n++) {
    write(KIB);
    longest = Math.max(longest, logKiB());
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(logKiB()).toBeLessThan(longest);
  expect(longest).toBeGreaterThan(128 * KIB);
});

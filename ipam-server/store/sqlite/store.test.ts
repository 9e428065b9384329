import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Change, LeaseStore } from "../../../lib/ipam/store.ts";
import { storeFailureOf } from "../../../lib/ipam/store.ts";
import { leaseStoreContract } from "../../../test/contract/lease-store.ts";
import { contentOf } from "../../../test/support/ipam/store-batches.ts";
import { eventRecord, leaseRecord, networkRecord } from "../../../test/support/ipam/store-records.ts";
import { APPLICATION_ID, MIGRATIONS } from "./schema.ts";
import { openSqliteStore } from "./store.ts";

function newDirectory(): string {
  return mkdtempSync(join(tmpdir(), "fairlead-sqlite-"));
}

leaseStoreContract("sqlite", () => {
  const directory = newDirectory();
  return {
    open: () => openSqliteStore({ path: join(directory, "ipam.db") }),
    destroy: () => rmSync(directory, { recursive: true }),
  };
});

describe("openSqliteStore", () => {
  let directory: string;
  let path: string;
  let opened: LeaseStore[];

  beforeEach(() => {
    directory = newDirectory();
    path = join(directory, "ipam.db");
    opened = [];
  });
  afterEach(async () => {
    for (const store of opened) await store.close();
    rmSync(directory, { recursive: true });
  });

  const open = (options: { quickCheck?: boolean } = {}): LeaseStore => {
    const store = openSqliteStore({ path, ...options });
    opened.push(store);
    return store;
  };

  /** A commit that throws at once rejects, too. */
  const commitOf = async (store: LeaseStore, batch: Parameters<LeaseStore["commit"]>[0]): Promise<void> =>
    store.commit(batch);

  const errorOf = (action: () => unknown): { failure: string | null; message: string } => {
    try {
      action();
    } catch (error) {
      return { failure: storeFailureOf(error), message: String(error) };
    }
    throw new Error("it did not fail");
  };

  /** What somebody else does to the file. */
  const alter = (sql: string): void => {
    const database = new DatabaseSync(path);
    try {
      database.exec(sql);
    } finally {
      database.close();
    }
  };

  const network = networkRecord("web", 1);
  const create: Change = { kind: "network", before: null, after: network };
  const firstBatch = { changes: [create], events: [eventRecord(1, network)] };

  test("what cannot be opened is told as what it is", () => {
    mkdirSync(path);
    expect(errorOf(() => open())).toMatchObject({
      failure: "io",
      message: expect.stringContaining("unable to open database file"),
    });
    expect(statSync(path).mode & 0o777).not.toBe(0o600);
  });

  test("what large commits put into the log is copied back in the next pause", async () => {
    jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick", "queueMicrotask"] });
    try {
      const store = open();
      await store.commit(firstBatch);
      const megabytes = () => statSync(path).size / 1024 ** 2;
      let version = 1;
      for (let batch = 0; batch < 2; batch += 1) {
        const leases = Array.from({ length: 1_000 }, (_, at) => {
          version += 1;
          return leaseRecord(network, `10.${batch + 1}.${at >> 8}.${at & 255}`, { version });
        });
        await store.commit({
          changes: leases.map((after) => ({ kind: "lease", before: null, after })),
          events: leases.map((lease) => eventRecord(lease.version, lease)),
        });
      }
      expect(megabytes()).toBeLessThan(0.25);
      jest.advanceTimersByTime(1_000);
      expect(megabytes()).toBeGreaterThan(0.5);
    } finally {
      jest.useRealTimers();
    }
  });

  test("a search that trimming overtakes says so, and the next one is answered", async () => {
    const store = open();
    await store.commit(firstBatch);
    const many = Array.from({ length: 10_000 }, (_, index) => eventRecord(index + 2, network));
    await store.commit({ changes: [], events: many });
    const search = (since: number) =>
      Promise.resolve(store.readEvents({ since, limit: 10, containerId: "nosuch" }));
    const overtaken = expect(search(0)).rejects.toMatchObject({ code: "compacted" });
    const next = search(5);
    await store.trimEvents(5);
    await overtaken;
    expect(await next).toEqual([]);
  });

  test("a search through many events lets commits pass, and finds what is there", async () => {
    const store = open();
    await store.commit(firstBatch);
    const many = Array.from({ length: 10_000 }, (_, index) => eventRecord(index + 2, network));
    await store.commit({ changes: [], events: many });
    const order: string[] = [];
    const search = Promise.resolve(store.readEvents({ since: 0, limit: 10, containerId: "nosuch" })).then(
      (found) => {
        order.push("search");
        return found;
      },
    );
    const last = 10_002;
    await store.commit({ changes: [], events: [eventRecord(last, network)] });
    order.push("commit");
    expect(await search).toEqual([]);
    expect(order).toEqual(["commit", "search"]);
    const all = { networkName: many[0]?.networkName ?? "", limit: 20_000 };
    const found = await store.readEvents({ since: 0, ...all });
    expect(found.map(({ revision }) => revision)).toEqual(
      Array.from({ length: last }, (_, index) => index + 1),
    );
    expect(await store.readEvents({ since: 4_000, ...all, limit: 5_000 })).toHaveLength(5_000);
  });

  test("a network whose commit failed is not there for the next one", async () => {
    const store = open();
    const lease: Change = { kind: "lease", before: null, after: leaseRecord(network, "10.1.0.5", {}) };
    // The same lease twice: the second refuses the whole batch, and the network with it.
    const events = [eventRecord(1, network), eventRecord(2, network), eventRecord(3, network)];
    await expect(commitOf(store, { changes: [create, lease, lease], events })).rejects.toThrow();
    const alone = commitOf(store, { changes: [lease], events: [eventRecord(1, network)] });
    await expect(alone).rejects.toThrow(`there is no network ${network.id}`);
    await store.commit(firstBatch);
    expect((await contentOf(store)).networks).toHaveLength(1);
  });

  test("a change from nothing to nothing is none", async () => {
    const store = open();
    const nothing: Change = { kind: "lease", before: null, after: null };
    await store.commit({ changes: [create, nothing], events: [eventRecord(1, network)] });
    expect((await contentOf(store)).leases).toEqual([]);
  });

  test("the file and its log are readable by their owner only", async () => {
    await open().commit(firstBatch);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
  });

  test("takes rights away that others have on an existing file", async () => {
    await open().close();
    chmodSync(path, 0o644);
    open();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test.each([
    [
      "text",
      "this is no database, but long enough to look at the header of one, which has 100 bytes at least",
    ],
    ["a truncated header", "SQLite format 3\0"],
  ])("refuses %s and leaves it as it is", (_, content) => {
    writeFileSync(path, content);
    const { failure, message } = errorOf(open);
    expect(failure).toBe("corrupt");
    expect(message).toContain(path);
    expect(message).toContain("restore a backup");
    expect(readFileSync(path, "utf8")).toBe(content);
  });

  test("refuses a database of another program and leaves it as it is", () => {
    const other = new DatabaseSync(path);
    other.exec("CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup')");
    other.close();
    const before = readFileSync(path);
    const { failure, message } = errorOf(open);
    expect(failure).toBe("corrupt");
    expect(message).toContain("not a database of Fairlead");
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("refuses a layout of a newer program", async () => {
    await open().close();
    alter("PRAGMA user_version = 99");
    expect(errorOf(open)).toMatchObject({
      failure: "corrupt",
      message: expect.stringContaining("version 99"),
    });
  });

  test("of an older layout each step is taken whole or not at all, and told when it fails", () => {
    const layouts = () => {
      const database = new DatabaseSync(path);
      try {
        return database.prepare("PRAGMA user_version").get();
      } finally {
        database.close();
      }
    };
    alter(`${MIGRATIONS[0]}; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 1`);
    // What the third step would make is in its way.
    alter("ALTER TABLE meta ADD COLUMN log_id TEXT");
    expect(errorOf(open).message).toContain("migrate database to layout 3");
    expect(layouts()).toEqual({ user_version: 2 });
    alter("ALTER TABLE meta DROP COLUMN log_id");
    expect(open().logId).toMatch(/^[0-9a-f]{32}$/);
  });

  test("refuses an empty database that another program has marked as its own", () => {
    alter("PRAGMA application_id = 77");
    expect(errorOf(open)).toMatchObject({
      failure: "corrupt",
      message: expect.stringContaining("not a database of Fairlead"),
    });
  });

  test("a file that is refused is let go: others can repair it", async () => {
    await open().close();
    alter("PRAGMA user_version = 99");
    expect(errorOf(open).failure).toBe("corrupt");
    alter(`PRAGMA user_version = ${MIGRATIONS.length}; ALTER TABLE lease RENAME TO lost`);
    expect(errorOf(open).message).toContain("no such table: lease");
    alter("ALTER TABLE lost RENAME TO lease");
    expect(open().epoch).toBe(2);
  });

  test("state without its newest event is damaged: what came last is unknown", async () => {
    const store = open();
    await store.commit(firstBatch);
    await store.close();
    alter("DELETE FROM event");
    expect(errorOf(() => open().load())).toMatchObject({
      failure: "corrupt",
      message: expect.stringContaining("event 1, the newest, is missing"),
    });
  });

  test("takes a whole database when asked to check", async () => {
    const store = open();
    await store.commit(firstBatch);
    await store.close();
    expect((await contentOf(open({ quickCheck: true }))).networks).toEqual([network]);
  });

  test("refuses a damaged page when asked to check", async () => {
    const store = open();
    await store.commit(firstBatch);
    await store.close();
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 4096, 8192);
    writeFileSync(path, bytes);
    expect(errorOf(() => open({ quickCheck: true })).failure).toBe("corrupt");
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  test("refuses a directory that does not exist, saying so and naming the path", () => {
    const missing = join(directory, "absent", "ipam.db");
    const { failure, message } = errorOf(() => openSqliteStore({ path: missing }));
    expect(failure).toBe("io");
    expect(message).toContain(missing);
    expect(message).toContain("no such file or directory");
  });

  test("notices that the file was replaced, and never answers for what nobody will find", async () => {
    const store = open();
    await store.commit(firstBatch);
    renameSync(path, `${path}.old`);
    const lease = leaseRecord(network, "10.1.0.2", { version: 2 });
    const batch = {
      changes: [{ kind: "lease", before: null, after: lease } as const],
      events: [eventRecord(2, lease)],
    };
    expect(errorOf(() => store.commit(batch)).failure).toBe("fenced");
    renameSync(`${path}.old`, path);
    expect((await contentOf(store)).leases).toEqual([]);
  });

  test("a commit that loses the database midway is of unknown fate, and says both errors", () => {
    const store = open();
    const losing: Change = {
      kind: "network",
      before: null,
      get after() {
        store.close();
        return network;
      },
    };
    const batch = { changes: [losing], events: [eventRecord(1, network)] };
    const { failure, message } = errorOf(() => store.commit(batch));
    expect(failure).toBe("sync");
    expect(message).toMatch(/finalized; and it could not be rolled back: Error: database is not open/);
  });

  test("an owner in another process keeps the file, and its kill -9 frees it with all that it committed", async () => {
    const script = `
      import { DatabaseSync } from "node:sqlite";
      const db = new DatabaseSync(${JSON.stringify(path)});
      db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL");
      db.exec("UPDATE meta SET epoch = epoch + 10");
      console.log("locked");
      setInterval(() => {}, 1000);`;
    await open().close();
    const owner = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", script]);
    await once(owner.stdout, "data");
    const { failure, message } = errorOf(open);
    expect(failure).toBe("locked");
    expect(message).toContain("another server has it open");
    owner.kill("SIGKILL");
    await once(owner, "exit");
    expect(open().epoch).toBe(12);
  });
});

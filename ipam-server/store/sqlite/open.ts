/** Opening, checking and migrating the database file. */

import { chmodSync, closeSync, fsyncSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type StoreErrorParts, storeError } from "../../../lib/ipam/store.ts";
import { sqliteError } from "./errors.ts";
import { integer, type Row } from "./rows.ts";
import { APPLICATION_ID, MIGRATIONS } from "./schema.ts";

/** Only the server's user may read who has which address. */
const FILE_MODE = 0o600;
/** Keeps the indexes of some hundred thousand leases in memory. */
const CACHE_KIB = 64 * 1024;
const OPERATION = "open database";

/** An open, exclusively locked, migrated database. */
export interface OpenDatabase {
  readonly database: DatabaseSync;
  /** Device and inode of the file, to notice when it is replaced under us. */
  readonly identity: string;
}

/**
 * Opens the database and keeps it locked until it is closed or the process ends, however it ends: the lock is
 * the kernel's (fcntl), so nothing has to be cleaned up after a kill.
 *
 * @throws locked, corrupt, io
 */
export function openDatabase({ path, quickCheck }: { path: string; quickCheck: boolean }): OpenDatabase {
  const identity = createFile(path);
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 0 });
    configure(database, path);
    if (quickCheck) checkQuickly(database, path);
    migrate(database, path);
    return { database, identity };
  } catch (error) {
    database?.close();
    throw sqliteError(error, OPERATION, path);
  }
}

/**
 * Makes the file with its mode before SQLite would make it with the umask's, and its directory entry durable.
 *
 * A file that exists is never opened here: closing it would give up the lock that this process may have on it
 * through SQLite. Source: fcntl(2), "Advisory record locking": a lock ends when any descriptor is closed.
 */
function createFile(path: string): string {
  try {
    const existing = statSync(path, { throwIfNoEntry: false });
    if (existing === undefined) {
      closeSync(openSync(path, "wx", FILE_MODE));
      syncDirectory(dirname(path));
    } else if ((existing.mode & 0o777) !== FILE_MODE && existing.isFile()) {
      chmodSync(path, FILE_MODE);
    }
    return fileIdentity(path);
  } catch (error) {
    throw sqliteError(error, OPERATION, path);
  }
}

/** Names the file itself rather than its path: device and inode. Empty when there is none. */
export function fileIdentity(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.dev}:${stat.ino}`;
}

function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/**
 * The lock is taken by the first read after `locking_mode`, before anything is written: a file that is not
 * ours is refused as it is. An exclusive lock before WAL begins also keeps SQLite from making a `-shm` file.
 */
function configure(database: DatabaseSync, path: string): void {
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  const applicationId = pragma(database, "application_id");
  const tables = integer((database.prepare("SELECT count(*) AS n FROM sqlite_schema").get() as Row)["n"]);
  if (applicationId !== APPLICATION_ID && (applicationId !== 0 || tables > 0)) {
    throw refusal(path, "it is not a database of Fairlead", "move the file away, or choose another stateDir");
  }
  const version = pragma(database, "user_version");
  if (version > MIGRATIONS.length) {
    const reason = `its layout is version ${version}, this program knows up to ${MIGRATIONS.length}`;
    throw refusal(path, reason, "use the newer program that wrote it");
  }
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
  database.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
  database.exec("BEGIN IMMEDIATE; COMMIT");
}

function checkQuickly(database: DatabaseSync, path: string): void {
  const [first] = Object.values(database.prepare("PRAGMA quick_check(1)").get() as Row);
  if (first === "ok") return;
  const parts = { operation: OPERATION, object: path, reason: `quick_check says: ${first}` };
  throw storeError({ failure: "corrupt", ...parts, hint: "nothing was changed; restore a backup" });
}

function migrate(database: DatabaseSync, path: string): void {
  for (let version = pragma(database, "user_version"); version < MIGRATIONS.length; version++) {
    try {
      database.exec("BEGIN IMMEDIATE");
      database.exec(MIGRATIONS[version] ?? "");
      database.exec(
        `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${version + 1}; COMMIT`,
      );
    } catch (error) {
      throw sqliteError(error, `migrate database to layout ${version + 1}`, path);
    }
  }
}

function pragma(database: DatabaseSync, name: string): number {
  return integer((database.prepare(`PRAGMA ${name}`).get() as Row)[name]);
}

function refusal(path: string, reason: string, hint: string) {
  const parts: StoreErrorParts = { failure: "corrupt", operation: OPERATION, object: path, reason, hint };
  return storeError(parts);
}

/** What an error of SQLite means for the store: a failure of one of its classes, with what to do. */
import { FairleadError } from "../../../lib/errors.ts";
import { type StoreFailure, storeError } from "../../../lib/ipam/store.ts";

/** Result codes of SQLite. Source: https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_CONSTRAINT = 19;
const SQLITE_NOTADB = 26;
const SQLITE_READONLY = 8;
const SQLITE_IOERR_FSYNC = SQLITE_IOERR | (4 << 8);
const SQLITE_IOERR_DIR_FSYNC = SQLITE_IOERR | (5 << 8);

const FAILURE_OF_CODE: ReadonlyMap<number, StoreFailure> = new Map<number, StoreFailure>([
  [SQLITE_BUSY, "locked"],
  [SQLITE_READONLY, "io"],
  [SQLITE_IOERR, "io"],
  [SQLITE_CORRUPT, "corrupt"],
  [SQLITE_FULL, "full"],
  [SQLITE_CANTOPEN, "io"],
  [SQLITE_CONSTRAINT, "conflict"],
  [SQLITE_NOTADB, "corrupt"],
]);

const HINTS: Readonly<Partial<Record<StoreFailure, string>>> = {
  locked: "another server has it open: stop that one, or give this one another stateDir",
  corrupt: "nothing was changed; restore a backup, or move the file away to begin with an empty one",
  full: "make space on its file system",
  io: "check the file's permissions, its directory and the disk",
  sync: "check the disk; the server must be restarted, which reads what is really there",
};

/** Class of an error that `node:sqlite` threw; "io" for what it does not explain. */
function failureOf(error: unknown): StoreFailure {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  if (typeof code !== "number")
    return error instanceof SyntaxError || error instanceof TypeError ? "corrupt" : "io";
  if (code === SQLITE_IOERR_FSYNC || code === SQLITE_IOERR_DIR_FSYNC) return "sync";
  return FAILURE_OF_CODE.get(code & 0xff) ?? "io";
}

/** Wraps what was thrown while working on the database at `path`; an error of ours passes unchanged. */
export function sqliteError(thrown: unknown, operation: string, path: string): FairleadError {
  if (thrown instanceof FairleadError) return thrown;
  const failure = failureOf(thrown);
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  const hint = HINTS[failure];
  return storeError({
    failure,
    operation,
    object: path,
    reason,
    ...(hint !== undefined && { hint }),
    cause: thrown,
  });
}

import { FairleadError } from "../../../lib/errors.ts";
import { isFatal, storeFailureOf } from "../../../lib/ipam/store.ts";
import { sqliteError } from "./errors.ts";

/** An error as `node:sqlite` throws it. */
function thrown(errcode: number): Error {
  return Object.assign(new Error("something"), { code: "ERR_SQLITE_ERROR", errcode });
}

test.each([
  [5, "SQLITE_BUSY", "locked", false],
  [8, "SQLITE_READONLY", "io", false],
  [778, "SQLITE_IOERR_WRITE", "io", false],
  [1034, "SQLITE_IOERR_FSYNC", "sync", true],
  [1290, "SQLITE_IOERR_DIR_FSYNC", "sync", true],
  [11, "SQLITE_CORRUPT", "corrupt", true],
  [779, "SQLITE_CORRUPT_INDEX", "corrupt", true],
  [13, "SQLITE_FULL", "full", false],
  [14, "SQLITE_CANTOPEN", "io", false],
  [2067, "SQLITE_CONSTRAINT_UNIQUE", "conflict", true],
  [1555, "SQLITE_CONSTRAINT_PRIMARYKEY", "conflict", true],
  [787, "SQLITE_CONSTRAINT_FOREIGNKEY", "conflict", true],
  [26, "SQLITE_NOTADB", "corrupt", true],
  [1, "SQLITE_ERROR", "io", false],
] as const)("result code %d, %s, is a failure of class %s", (...[errcode, _, failure, fatal]) => {
  const error = sqliteError(thrown(errcode), "commit", "/x/ipam.db");
  expect(storeFailureOf(error)).toBe(failure);
  expect(isFatal(failure)).toBe(fatal);
  expect(error.message).toContain("commit /x/ipam.db: something");
  expect(error.cause).toBeInstanceOf(Error);
});

test("an unreadable row is damage", () => {
  expect(storeFailureOf(sqliteError(new TypeError("expected text"), "load", "/x"))).toBe("corrupt");
  expect(storeFailureOf(sqliteError(new SyntaxError("bad JSON"), "load", "/x"))).toBe("corrupt");
});

test("an error of ours passes unchanged", () => {
  const error = new FairleadError({ code: "compacted", operation: "read", reason: "gone" });
  expect(sqliteError(error, "commit", "/x")).toBe(error);
});

/** The SQL statements of the store, in one table. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { LEASE_COLUMNS } from "./rows.ts";

const leaseColumns = LEASE_COLUMNS.split(", ");
const leaseMarks = leaseColumns.map(() => "?").join(", ");
const leaseSettings = leaseColumns.map((column) => `${column} = ?`).join(", ");

const SELECT_LEASES = "SELECT * FROM lease";

const SQL = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  meta: "SELECT epoch, revision, trimmed_revision, log_id FROM meta",
  /** Counts no row when another server has opened the database since. */
  advance: "UPDATE meta SET revision = ? WHERE epoch = ? AND revision = ?",
  takeOver: "UPDATE meta SET epoch = epoch + 1",
  renewLogId: "UPDATE meta SET log_id = lower(hex(randomblob(16))) WHERE epoch = ?",
  trimTo: "UPDATE meta SET trimmed_revision = ? WHERE epoch = ?",
  trimEvents: "DELETE FROM event WHERE revision <= ?",

  networks: "SELECT definition FROM network ORDER BY key",
  networkKeys: "SELECT id, key FROM network",
  insertNetwork: "INSERT INTO network (id, name, version, definition) VALUES (?, ?, ?, ?)",
  updateNetwork: "UPDATE network SET name = ?, version = ?, definition = ? WHERE id = ? AND version = ?",
  deleteNetwork: "DELETE FROM network WHERE id = ? AND version = ?",
  deleteLeasesOf: "DELETE FROM lease WHERE network = ?",

  leases: SELECT_LEASES,
  firstLeases: `${SELECT_LEASES} ORDER BY space, address LIMIT ?`,
  nextLeases: `${SELECT_LEASES} WHERE (space, address) > (?, ?) ORDER BY space, address LIMIT ?`,
  insertLease: `INSERT INTO lease (space, address, network, ${LEASE_COLUMNS}) VALUES (?, ?, ?, ${leaseMarks})`,
  updateLease: `UPDATE lease SET ${leaseSettings} WHERE space = ? AND address = ? AND version = ?`,
  deleteLease: "DELETE FROM lease WHERE space = ? AND address = ? AND version = ?",

  insertEvent: "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  eventAt: "SELECT * FROM event WHERE revision = ?",
  eventInstant: "SELECT at FROM event WHERE revision = ?",
} as const;

export type Statements = Readonly<Record<keyof typeof SQL, StatementSync>>;

/** Compiles every statement once. */
export function prepareStatements(database: DatabaseSync): Statements {
  const entries = Object.entries(SQL).map(([name, sql]) => [name, database.prepare(sql)] as const);
  return Object.fromEntries(entries) as Statements;
}

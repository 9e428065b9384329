/** The store in SQLite: opened, loaded, and written to one batch at a time. */
import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { addressToKey, formatAddress } from "../../../lib/addr/address.ts";
import type { FairleadError } from "../../../lib/errors.ts";
import { networkFromJson, networkToJson } from "../../../lib/ipam/network-json.ts";
import {
  type Batch,
  type EventQuery,
  type EventRecord,
  type LeasePage,
  type LeaseRecord,
  type LeaseStore,
  type NetworkRecord,
  type StoreFailure,
  type StoreSnapshot,
  storeError,
} from "../../../lib/ipam/store.ts";
import { Checkpointer, lengthenLog } from "./checkpoint.ts";
import { sqliteError } from "./errors.ts";
import { EventLog } from "./event-log.ts";
import { fileIdentity, openDatabase } from "./open.ts";
import { eventFromRow, eventToRow, integer, leaseFromRow, leaseToRow, type Row, text } from "./rows.ts";
import { prepareStatements, type Statements } from "./statements.ts";

export interface SqliteStoreOptions {
  /** Database file. Made, with mode 0600, when absent; its directory must exist. */
  readonly path: string;
  /** Runs SQLite's `quick_check` before the first use: reads the whole file. Default: false. */
  readonly quickCheck?: boolean;
  /** Told when copying the log back into the database fails; no commit is affected. Default: nobody is. */
  readonly onCheckpointError?: (error: unknown) => void;
}

/**
 * Opens (and migrates) the database and takes it over.
 *
 * @throws locked when another live server has it; corrupt when it is damaged, of something else, or of a newer
 *   program: then nothing in it was changed; io
 */
export function openSqliteStore(options: SqliteStoreOptions): LeaseStore {
  const { path, quickCheck = false, onCheckpointError: onError = () => undefined } = options;
  const { database, identity } = openDatabase({ path, quickCheck });
  try {
    const statements = prepareStatements(database);
    statements.takeOver.run();
    const meta = statements.meta.get() as Row;
    const [epoch, revision] = [integer(meta["epoch"]), integer(meta["revision"])];
    lengthenLog(path);
    const checkpointer = new Checkpointer({ database, path, onError });
    return new SqliteStore({ database, statements, checkpointer, path, identity, epoch, revision });
  } catch (error) {
    database.close();
    throw sqliteError(error, "open database", path);
  }
}

interface Opened {
  readonly database: DatabaseSync;
  readonly statements: Statements;
  readonly checkpointer: Checkpointer;
  readonly path: string;
  readonly identity: string;
  readonly epoch: number;
  readonly revision: number;
}

/** What a commit, and each change in it, puts into the log on average. Measured; pages that changes share count once. */
const COMMIT_LOG_BYTES = 20 * 1024;
const CHANGE_LOG_BYTES = 3 * 1024;

/**
 * State in one SQLite file, in WAL mode with `synchronous = FULL`: what a commit answered survives a power
 * cut. One server at a time: the file stays locked while it is open, each transaction checks that the epoch is
 * still ours, and that the path still names the file that was opened.
 */
class SqliteStore implements LeaseStore {
  readonly description: string;
  readonly epoch: number;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #checkpointer: Checkpointer;
  readonly #events: EventLog;
  readonly #path: string;
  readonly #identity: string;
  /** Row keys by network ID and back. */
  readonly #keys = new Map<string, number>();
  readonly #ids = new Map<number, string>();
  #logId: string;
  #revision: number;
  #trimmedRevision: number;
  #isClosed = false;
  /** Settled when no read of several steps is under way. */
  #longRead: Promise<void> = Promise.resolve();

  constructor({ database, statements, checkpointer, path, identity, epoch, revision }: Opened) {
    this.description = `sqlite ${path}`;
    this.epoch = epoch;
    this.#database = database;
    this.#statements = statements;
    this.#checkpointer = checkpointer;
    this.#events = new EventLog(database, statements);
    this.#path = path;
    this.#identity = identity;
    this.#revision = revision;
    this.#logId = this.#readLogId();
    this.#trimmedRevision = integer((statements.meta.get() as Row)["trimmed_revision"]);
    this.#readKeys();
  }

  get logId(): string {
    return this.#logId;
  }

  get trimmedRevision(): number {
    return this.#trimmedRevision;
  }

  renewLogId(): void {
    this.#run("renew log id", () => {
      const { changes } = this.#statements.renewLogId.run(this.epoch);
      if (Number(changes) !== 1) throw this.#error("fenced", "another server has taken it over");
      this.#logId = this.#readLogId();
    });
  }

  #readLogId(): string {
    return text((this.#statements.meta.get() as Row)["log_id"]);
  }

  load(): StoreSnapshot {
    return this.#run("load state", () => {
      return {
        revision: this.#revision,
        trimmedRevision: this.#trimmedRevision,
        lastEventAtMs: this.#lastInstant(this.#trimmedRevision),
        networks: this.readNetworks(),
        leases: this.#allLeases(),
      };
    });
  }

  /** One row at a time: the rows of a hundred thousand leases are larger than the leases. */
  *#allLeases(): Generator<LeaseRecord> {
    const read = this.#leaseReader();
    try {
      for (const row of this.#statements.leases.iterate()) yield read(row as Row);
    } catch (error) {
      throw sqliteError(error, "load state", this.#path);
    }
  }

  commit({ changes, events }: Batch): void {
    this.#checkUsable();
    let isBegun = false;
    try {
      this.#statements.begin.run();
      isBegun = true;
      this.#advance(events);
      for (const change of changes) {
        if (change.kind === "lease") this.#writeLease(change.before, change.after);
        else this.#writeNetwork(change.before, change.after);
      }
      for (const event of events) this.#statements.insertEvent.run(...eventToRow(event));
      this.#statements.commit.run();
      this.#revision += events.length;
      this.#checkpointer.noteCommit(COMMIT_LOG_BYTES + changes.length * CHANGE_LOG_BYTES);
    } catch (error) {
      throw isBegun ? this.#abort(error) : sqliteError(error, "commit", this.#path);
    }
  }

  async readEvents(query: EventQuery): Promise<readonly EventRecord[]> {
    const reading = this.#run("read events", () => this.#events.begin(query));
    const step = (): boolean => this.#run("read events", () => reading.step());
    if (!step()) await this.#inTurn(step);
    return reading.found;
  }

  /** What takes several steps goes on when nothing else is to be done, and one after the other. */
  async #inTurn(step: () => boolean): Promise<void> {
    const before = this.#longRead;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#longRead = promise;
    await before;
    try {
      do await nextTurn();
      while (!step());
    } finally {
      resolve();
    }
  }

  eventsAt(revisions: readonly number[]): readonly EventRecord[] {
    return this.#run("read events", () =>
      revisions.flatMap((revision) => {
        const row = this.#statements.eventAt.get(revision) as Row | undefined;
        return row === undefined ? [] : eventFromRow(row);
      }),
    );
  }

  readLeases({ after, limit }: LeasePage): readonly LeaseRecord[] {
    return this.#run("read leases", () => {
      const rows =
        after === undefined
          ? this.#statements.firstLeases.all(limit)
          : this.#statements.nextLeases.all(after.addressSpace, addressToKey(after.address), limit);
      return (rows as Row[]).map(this.#leaseReader());
    });
  }

  readNetworks(): readonly NetworkRecord[] {
    return this.#run("read networks", () =>
      (this.#statements.networks.all() as Row[]).map((row) => networkFromJson(text(row["definition"]))),
    );
  }

  trimEvents(revision: number): void {
    this.#run("trim events", () => {
      const through = Math.min(revision, this.#revision);
      if (through <= this.#trimmedRevision) return;
      this.#statements.begin.run();
      try {
        const { changes } = this.#statements.trimTo.run(through, this.epoch);
        if (Number(changes) !== 1) throw this.#error("fenced", "another server has taken it over");
        this.#statements.trimEvents.run(through);
        this.#statements.commit.run();
        this.#trimmedRevision = through;
      } catch (error) {
        throw this.#abort(error);
      }
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#checkpointer.close();
    this.#database.close();
  }

  /** Moves the revision on, which also proves that nobody else has opened the database since we did. */
  #advance(events: readonly EventRecord[]): void {
    for (const [at, { revision }] of events.entries()) {
      const expected = this.#revision + 1 + at;
      if (revision !== expected)
        throw this.#error("conflict", `event ${revision} comes where ${expected} belongs`);
    }
    const { changes } = this.#statements.advance.run(
      this.#revision + events.length,
      this.epoch,
      this.#revision,
    );
    if (Number(changes) !== 1) throw this.#error("fenced", "another server has taken it over");
  }

  #writeLease(before: LeaseRecord | null, after: LeaseRecord | null): void {
    const record = after ?? before;
    if (record === null) return;
    const key = addressToKey(record.address);
    if (before === null) {
      const values = leaseToRow(record);
      this.#statements.insertLease.run(record.addressSpace, key, this.#keyOf(record.networkId), ...values);
      return;
    }
    const { changes } =
      after === null
        ? this.#statements.deleteLease.run(before.addressSpace, key, before.version)
        : this.#statements.updateLease.run(...leaseToRow(after), before.addressSpace, key, before.version);
    if (Number(changes) !== 1) {
      throw this.#error("conflict", `lease ${formatAddress(record.address)} is not what memory holds`);
    }
  }

  #writeNetwork(before: NetworkRecord | null, after: NetworkRecord | null): void {
    if (before === null && after !== null) this.#insertNetwork(after);
    if (before !== null && after !== null) {
      const values = [after.name, after.version, networkToJson(after), before.id, before.version];
      this.#expectOne(this.#statements.updateNetwork.run(...values), before);
    }
    if (before !== null && after === null) {
      this.#statements.deleteLeasesOf.run(this.#keyOf(before.id));
      this.#expectOne(this.#statements.deleteNetwork.run(before.id, before.version), before);
    }
  }

  #insertNetwork(record: NetworkRecord): void {
    const { id, name, version } = record;
    const { lastInsertRowid } = this.#statements.insertNetwork.run(id, name, version, networkToJson(record));
    this.#remember(id, Number(lastInsertRowid));
  }

  #expectOne({ changes }: { changes: number | bigint }, { name }: NetworkRecord): void {
    if (Number(changes) !== 1) throw this.#error("conflict", `network ${name} is not what memory holds`);
  }

  #keyOf(networkId: string): number {
    const key = this.#keys.get(networkId);
    if (key === undefined) throw this.#error("conflict", `there is no network ${networkId}`);
    return key;
  }

  #remember(id: string, key: number): void {
    this.#keys.set(id, key);
    this.#ids.set(key, id);
  }

  #readKeys(): void {
    this.#keys.clear();
    this.#ids.clear();
    for (const row of this.#statements.networkKeys.all() as Row[]) {
      this.#remember(text(row["id"]), integer(row["key"]));
    }
  }

  #leaseReader(): (row: Row) => LeaseRecord {
    const shared = new Map<string, string>();
    const share = (each: string): string => {
      const known = shared.get(each);
      if (known === undefined) shared.set(each, each);
      return known ?? each;
    };
    return (row) => leaseFromRow(row, this.#ids.get(integer(row["network"])) ?? "", share);
  }

  #lastInstant(trimmedRevision: number): number {
    const row = this.#statements.eventInstant.get(this.#revision) as Row | undefined;
    if (row !== undefined) return integer(row["at"]);
    if (this.#revision <= trimmedRevision) return 0;
    throw this.#error("corrupt", `event ${this.#revision}, the newest, is missing`);
  }

  /** Takes the open transaction back, and tells why. A transaction that cannot be taken back is of unknown fate. */
  #abort(cause: unknown): FairleadError {
    const error = sqliteError(cause, "commit", this.#path);
    try {
      if (this.#database.isTransaction) this.#statements.rollback.run();
      this.#readKeys();
    } catch (failed) {
      const reason = `${error.reason}; and it could not be rolled back: ${String(failed)}`;
      return storeError({ failure: "sync", operation: "commit", object: this.#path, reason, cause: error });
    }
    return error;
  }

  #run<T>(operation: string, action: () => T): T {
    this.#checkOpen(operation);
    try {
      return action();
    } catch (error) {
      throw sqliteError(error, operation, this.#path);
    }
  }

  #checkOpen(operation: string): void {
    if (!this.#isClosed) return;
    throw storeError({ failure: "closed", operation, object: this.#path, reason: "the store is closed" });
  }

  /** What is written to a file that nobody finds again is not durable. */
  #checkUsable(): void {
    this.#checkOpen("commit");
    if (fileIdentity(this.#path) !== this.#identity) {
      throw this.#error("fenced", "the file was replaced or removed while it was in use");
    }
  }

  #error(failure: StoreFailure, reason: string): FairleadError {
    return storeError({ failure, operation: "commit", object: this.#path, reason });
  }
}

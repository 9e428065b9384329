/** What befalls a store from outside: a backup, its return, and a clock that was set. */
import { copyFileSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { World } from "./world.ts";

const HOUR_MS = 3_600_000;

/** Columns that hold instants, by table. */
const INSTANTS = { event: ["at"], lease: ["acquired_at", "since", "until"] } as const;

export class StoreChanges {
  readonly #world: World;
  #revision = 0;

  constructor(world: World) {
    this.#world = world;
    rmSync(this.#backup, { force: true });
  }

  get #backup(): string {
    return join(this.#world.directory, "backup.db");
  }

  /** Of a store at rest: a server keeps others out of its own. */
  async backup(): Promise<void> {
    await this.#world.stopServer();
    // A server that was killed leaves part of it in the log: whoever opens the store brings that in.
    withDatabase(this.#world.databaseFile, revisionOf);
    copyFileSync(this.#world.databaseFile, this.#backup);
    this.#revision = withDatabase(this.#backup, revisionOf);
    await this.#world.start();
  }

  /** Puts the last backup in the store's place. Returns its revision, or null when there is none. */
  async restore(): Promise<number | null> {
    if (!existsSync(this.#backup)) return null;
    await this.#world.stopServer();
    const { databaseFile } = this.#world;
    for (const suffix of ["", "-wal", "-shm"]) rmSync(databaseFile + suffix, { force: true });
    copyFileSync(this.#backup, databaseFile);
    await this.#world.start();
    return this.#revision;
  }

  /** Makes the present `hours` later, from the store's point of view: the clock itself is the machine's, and stays. */
  async shiftClock(hours: number): Promise<void> {
    await this.#world.stopServer();
    withDatabase(this.#world.databaseFile, (database) => {
      for (const [table, columns] of Object.entries(INSTANTS)) {
        const shifts = columns.map((column) => `${column} = ${column} - ${hours * HOUR_MS}`);
        database.exec(`UPDATE ${table} SET ${shifts.join(", ")}`);
      }
    });
    await this.#world.start();
  }
}

function revisionOf(database: DatabaseSync): number {
  const row = database.prepare("SELECT revision FROM meta").get();
  return Number(row?.["revision"] ?? 0);
}

function withDatabase<T>(file: string, action: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(file);
  try {
    return action(database);
  } finally {
    database.close();
  }
}

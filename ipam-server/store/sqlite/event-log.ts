/** The event log in SQLite: which revisions a query is about, read piece by piece. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { addressToKey } from "../../../lib/addr/address.ts";
import type { EventQuery, EventRecord } from "../../../lib/ipam/store.ts";
import { checkPlace } from "../queries.ts";
import { eventFromRow, integer, type Row, type SqlValue } from "./rows.ts";
import type { Statements } from "./statements.ts";

/** Reading side of the table `event`. */
export class EventLog {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  /** By text; there are as many as combinations of filters. */
  readonly #selects = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, statements: Statements) {
    this.#database = database;
    this.#statements = statements;
  }

  /** @throws compacted */
  begin(query: EventQuery): EventReading {
    const bounds = this.#bounds();
    checkPlace(query.since, bounds);
    const first = this.#firstRevision(query, bounds);
    const last = query.toMs === undefined ? bounds.newest : this.#firstAfter(query.toMs + 1, bounds) - 1;
    const { conditions, values } = conditionsOf(query);
    const where = ["revision BETWEEN ? AND ?", ...conditions].join(" AND ");
    const select = this.#select(`SELECT * FROM event WHERE ${where} ORDER BY revision LIMIT ?`);
    const read = (from: number, to: number, limit: number): EventRecord[] => {
      checkPlace(query.since, this.#bounds());
      return (select.all(from, to, ...values, limit) as Row[]).map(eventFromRow);
    };
    return new EventReading({ first, last, limit: query.limit, span: spanOf(query), read });
  }

  #bounds(): Bounds {
    const meta = this.#statements.meta.get() as Row;
    return { trimmed: integer(meta["trimmed_revision"]), newest: integer(meta["revision"]) };
  }

  #firstRevision({ since, fromMs }: EventQuery, bounds: Bounds): number {
    return fromMs === undefined ? since + 1 : Math.max(since + 1, this.#firstAfter(fromMs, bounds));
  }

  /**
   * The first revision at or after an instant; the one behind the newest when there is none. Binary search:
   * events are written in the order of their instants, so revisions find them without an index over instants.
   */
  #firstAfter(ms: number, { trimmed, newest }: Bounds): number {
    let low = trimmed + 1;
    let high = newest + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = this.#statements.eventInstant.get(middle) as Row | undefined;
      if (row !== undefined && integer(row["at"]) >= ms) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #select(sql: string): StatementSync {
    const known = this.#selects.get(sql);
    if (known !== undefined) return known;
    const prepared = this.#database.prepare(sql);
    this.#selects.set(sql, prepared);
    return prepared;
  }
}

/** Rows that are looked at in one go: some milliseconds, for which nothing else is served. */
const SCAN_ROWS = 4_096;
/** Events that are taken out in one go; each costs more than a row that is passed over. */
const STEP_EVENTS = 512;

/** A filter without an index may look at every event that there is, to find none. */
function spanOf({ networkName, containerId, kind }: EventQuery): number {
  const isScan = networkName !== undefined || containerId !== undefined || kind !== undefined;
  return isScan ? SCAN_ROWS : Number.POSITIVE_INFINITY;
}

interface Reach {
  readonly first: number;
  readonly last: number;
  /** Events at most. */
  readonly limit: number;
  /** Revisions that one step looks at. */
  readonly span: number;
  /** @throws compacted */
  readonly read: (from: number, to: number, limit: number) => EventRecord[];
}

/** One query, answered in steps: between two of them others are served. */
export class EventReading {
  readonly found: EventRecord[] = [];
  readonly #reach: Reach;
  #next: number;

  constructor(reach: Reach) {
    this.#reach = reach;
    this.#next = reach.first;
  }

  /** True when everything is found. @throws compacted */
  step(): boolean {
    const { last, limit, span, read } = this.#reach;
    const to = Math.min(last, this.#next + span - 1);
    const most = Math.min(STEP_EVENTS, limit - this.found.length);
    const events = this.#next <= last ? read(this.#next, to, most) : [];
    this.found.push(...events);
    const newest = events.length === most ? events.at(-1)?.revision : undefined;
    this.#next = (newest ?? to) + 1;
    return this.#next > last || this.found.length >= limit;
  }
}

interface Bounds {
  readonly trimmed: number;
  readonly newest: number;
}

function conditionsOf(query: EventQuery): { conditions: string[]; values: SqlValue[] } {
  const { networkName, addressSpace, address, containerId, kind } = query;
  const given: [string, SqlValue | undefined][] = [
    ["network_name = ?", networkName],
    ["space = ?", addressSpace],
    ["address = ?", address === undefined ? undefined : addressToKey(address)],
    ["container_id = ?", containerId],
    ["kind = ?", kind],
  ];
  const used = given.filter((pair): pair is [string, SqlValue] => pair[1] !== undefined);
  return { conditions: used.map(([condition]) => condition), values: used.map(([, value]) => value) };
}

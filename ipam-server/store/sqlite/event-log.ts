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
  read(query: EventQuery): EventRecord[] {
    const meta = this.#statements.meta.get() as Row;
    const bounds = { trimmed: integer(meta["trimmed_revision"]), newest: integer(meta["revision"]) };
    checkPlace(query.since, bounds);
    const first = this.#firstRevision(query, bounds);
    const last = query.toMs === undefined ? bounds.newest : this.#firstAfter(query.toMs + 1, bounds) - 1;
    const { conditions, values } = conditionsOf(query);
    const where = ["revision BETWEEN ? AND ?", ...conditions].join(" AND ");
    const select = this.#select(`SELECT * FROM event WHERE ${where} ORDER BY revision LIMIT ?`);
    return (select.all(first, last, ...values, query.limit) as Row[]).map(eventFromRow);
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

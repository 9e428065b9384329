/** Questions to the event log. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { parseAddress } from "../../lib/addr/address.ts";
import type { Event, EventFilter, Tenancy, TenancyFilter } from "../../lib/ipam/api.ts";
import type { EventQuery, EventRecord, LeaseStore } from "../../lib/ipam/store.ts";
import { checkInteger, formatInstant, parseInstant } from "../../lib/ipam/validate.ts";
import { viewEvent } from "../state/views.ts";
import { checkLog } from "../store/queries.ts";
import { DEFAULT_ADDRESS_SPACE } from "./networks.ts";

const DEFAULT_LIMIT = 1000;
const MOST_EVENTS = 10_000;
const LIST = "list events";

/** The query that a filter stands for. @throws invalid-config */
function queryOf(filter: EventFilter): EventQuery {
  const { since = 0, limit = DEFAULT_LIMIT, address, from, to, networkName, containerId, kind } = filter;
  return {
    since: checkInteger(LIST, "since", { value: since, least: 0, most: Number.MAX_SAFE_INTEGER }),
    limit: checkInteger(LIST, "limit", { value: limit, least: 1, most: MOST_EVENTS }),
    ...(networkName !== undefined && { networkName }),
    ...(containerId !== undefined && { containerId }),
    ...(kind !== undefined && { kind }),
    ...(address !== undefined && { address: parseAddress(address) }),
    ...(from !== undefined && { fromMs: parseInstant(LIST, "from", from) }),
    ...(to !== undefined && { toMs: parseInstant(LIST, "to", to) }),
  };
}

/**
 * Events oldest first. Without `since` the list begins with the oldest event kept; with a `since` that is
 * older it is refused, because what lies between is missing, and with one that is newer than the newest event or of another
 * log too.
 *
 * @throws compacted, invalid-config
 */
export async function listEvents(store: LeaseStore, filter: EventFilter): Promise<readonly Event[]> {
  const query = queryOf({ ...filter, since: filter.since ?? store.trimmedRevision });
  checkLog(store, { since: query.since, logId: filter.logId });
  return (await store.readEvents(query)).map(viewEvent);
}

/** Events of one address read at once; between two pages others have their turn. */
const PAGE_EVENTS = 256;

/** Every stay at an address that the event log knows, oldest first, in pieces. */
export async function* staysOf(store: LeaseStore, filter: TenancyFilter): AsyncGenerator<readonly Tenancy[]> {
  const { address: text, addressSpace = DEFAULT_ADDRESS_SPACE } = filter;
  const address = parseAddress(text);
  const atMs = filter.at === undefined ? null : parseInstant("who had", "at", filter.at);
  const isMeant = (stay: Tenancy): boolean => atMs === null || covers(stay, atMs);
  const stays = new Map<number, Tenancy>();
  let since = 0;
  for (;;) {
    // What was removed meanwhile is passed over.
    since = Math.max(since, store.trimmedRevision);
    const page = await store.readEvents({ since, limit: PAGE_EVENTS, address, addressSpace });
    for (const event of page) follow(stays, event);
    const ended = takeEnded(stays).filter(isMeant);
    if (ended.length > 0) yield ended;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_EVENTS) break;
    since = last.revision;
    await nextTurn();
  }
  const rest = [...stays.values()].filter(isMeant);
  if (rest.length > 0) yield rest;
}

/** Takes out the stays that no event can change any more: those that have an end, before any that has none. */
function takeEnded(stays: Map<number, Tenancy>): Tenancy[] {
  const ended: Tenancy[] = [];
  for (const [sequence, stay] of stays) {
    if (stay.to === null) break;
    stays.delete(sequence);
    ended.push(stay);
  }
  return ended;
}

/**
 * A grant begins a stay; what the grant's sequence names later, belongs to the same one. So does a grant of what its holder
 * holds already, which goes on under the new sequence.
 */
function follow(stays: Map<number, Tenancy>, event: EventRecord): void {
  const stay = stays.get(event.sequence) ?? takeOpenStay(stays, event);
  if (event.kind === "lease-bound") {
    const { address, addressSpace, networkName, containerId, ifname, node, mac, sequence, at } =
      viewEvent(event);
    const facts = { address, addressSpace, networkName, containerId, ifname, node, mac, sequence };
    stays.set(event.sequence, { ...facts, from: stay?.from ?? at, to: null });
  } else if (event.kind === "lease-released" && stay !== undefined) {
    stays.set(event.sequence, { ...stay, to: formatInstant(event.atMs) });
  }
}

/** The stay that a repeated acquire goes on with, taken out; undefined where none is open. */
function takeOpenStay(stays: Map<number, Tenancy>, { kind }: EventRecord): Tenancy | undefined {
  if (kind !== "lease-bound") return undefined;
  // Of one address, so that none but the last can be open.
  const [sequence, last] = [...stays].at(-1) ?? [];
  if (sequence === undefined || last?.to !== null) return undefined;
  stays.delete(sequence);
  return last;
}

/** From its beginning, inclusive, to its end, exclusive. */
function covers({ from, to }: Tenancy, atMs: number): boolean {
  return Date.parse(from) <= atMs && (to === null || atMs < Date.parse(to));
}

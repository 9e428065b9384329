/**
 * Proves from the outside that an IPAM service kept its promises through crashes: from what clients were
 * answered, what the event log says, and what is held in the end.
 *
 * The two logs are independent witnesses. The clients' log knows only what was answered, and when by one
 * clock; the event log knows only what was committed. Each promise is checked against both where both can.
 */

import type { Event, Lease } from "../../../lib/ipam/api.ts";

/** One call of one client. Instants are of one monotonic clock, in milliseconds. */
export interface Call {
  readonly kind: "acquire" | "release";
  /** Each container ID has one life: acquired, perhaps several times, then released, perhaps several times. */
  readonly containerId: string;
  readonly startedMs: number;
  /** Infinity when no answer came: the call may have taken effect, or not. */
  readonly answeredMs: number;
  /** "done": acknowledged. "refused": an error that says that nothing was changed. "unknown": no answer. */
  readonly outcome: "done" | "refused" | "unknown";
  readonly addresses: readonly { readonly address: string; readonly sequence: number }[];
}

export interface History {
  readonly calls: readonly Call[];
  /** All events since the beginning. */
  readonly events: readonly Event[];
  /** What is held after the last call was answered. */
  readonly leases: readonly Lease[];
  readonly coolingMs: number;
  /** Addresses that the network hands out: when all are held or cool, the one that cooled longest may be granted. */
  readonly poolSize: number;
}

/** Everything that contradicts a promise, as sentences; empty when the history is right. */
export function checkHistory(history: History): string[] {
  return [
    ...checkRevisions(history.events),
    ...checkStays(history),
    ...checkGrants(history),
    ...checkOutcome(history),
    ...checkClientIntervals(history),
  ];
}

function checkRevisions(events: readonly Event[]): string[] {
  const at = events.findIndex(({ revision }, index) => revision !== index + 1);
  return at < 0 ? [] : [`event ${at + 1} is missing: revision ${events[at]?.revision} comes instead`];
}

interface Stay {
  readonly containerId: string;
  readonly sequence: number;
  readonly toMs: number | null;
}

/** By the event log: stays at one address never overlap, and cooling lies between different containers. */
function checkStays({ events, leases, ...pool }: History): string[] {
  const problems: string[] = [];
  const latest = new Map<string, Stay>();
  for (const event of events) {
    if (event.kind === "lease-bound") problems.push(...bind(latest, event, pool));
    if (event.kind === "lease-released") problems.push(...release(latest, event));
  }
  const open = [...latest].filter(([, { toMs }]) => toMs === null);
  const logged = open.map(([address, { containerId }]) => `${address} ${containerId}`).sort();
  const listed = boundOf(leases)
    .map(({ address, containerId }) => `${address} ${containerId}`)
    .sort();
  const onlyLogged = logged.filter((each) => !listed.includes(each));
  const onlyListed = listed.filter((each) => !logged.includes(each));
  problems.push(...onlyLogged.map((each) => `${each} is bound by the event log, but not listed`));
  problems.push(...onlyListed.map((each) => `${each} is listed, but not bound by the event log`));
  return problems;
}

type Stays = Map<string, Stay>;

function bind(latest: Stays, event: Event, pool: Pick<History, "coolingMs" | "poolSize">): string[] {
  const { address, containerId, sequence, revision } = event;
  const before = latest.get(address);
  latest.set(address, { containerId, sequence, toMs: null });
  if (before === undefined || before.sequence === sequence) return [];
  if (before.toMs === null && before.containerId === containerId) return [];
  if (before.toMs === null) {
    return [`event ${revision} grants ${address} to ${containerId} while ${before.containerId} holds it`];
  }
  const { coolingMs } = pool;
  const restedMs = Date.parse(event.at) - before.toMs;
  if (restedMs >= coolingMs || before.containerId === containerId) return [];
  if (isLongestCooled(latest, { address, releasedMs: before.toMs, poolSize: pool.poolSize })) return [];
  return [`event ${revision} grants ${address} ${restedMs} ms after its release, cooling is ${coolingMs} ms`];
}

/** Every other address was used before, and is held, or was released no earlier. */
function isLongestCooled(
  latest: Stays,
  { address, releasedMs, poolSize }: { address: string; releasedMs: number; poolSize: number },
): boolean {
  const others = [...latest].filter(([other]) => other !== address);
  return others.length >= poolSize - 1 && others.every(([, { toMs }]) => toMs === null || toMs >= releasedMs);
}

function release(
  latest: Map<string, Stay>,
  { address, sequence, containerId, revision, at }: Event,
): string[] {
  const stay = latest.get(address);
  if (stay === undefined || stay.sequence !== sequence || stay.toMs !== null) {
    return [`event ${revision} releases ${address} of ${containerId}, who does not hold it`];
  }
  latest.set(address, { ...stay, toMs: Date.parse(at) });
  return [];
}

/** Every acknowledged grant is in the event log under its sequence, for that container and address. */
function checkGrants({ calls, events }: History): string[] {
  return acknowledged(calls, "acquire").flatMap(({ containerId, addresses }) =>
    addresses.flatMap(({ address, sequence }) => {
      const event = events[sequence - 1];
      const isIt =
        event?.kind === "lease-bound" && event.containerId === containerId && event.address === address;
      return isIt
        ? []
        : [`${containerId} was granted ${address} as ${sequence}, which the event log does not have`];
    }),
  );
}

function acknowledged(calls: readonly Call[], kind: Call["kind"]): Call[] {
  return calls.filter((call) => call.kind === kind && call.outcome === "done");
}

function boundOf(leases: readonly Lease[]): Lease[] {
  return leases.filter(({ state }) => state === "bound");
}

/** What was acknowledged and never given back is held; what was acknowledged as given back is not. */
function checkOutcome({ calls, leases }: History): string[] {
  const held = new Map(
    boundOf(leases).map((lease) => [`${lease.containerId} ${lease.address}`, lease.sequence]),
  );
  const holders = new Set(boundOf(leases).map(({ containerId }) => containerId));
  const releaseTried = new Set(
    calls.filter(({ kind }) => kind === "release").map(({ containerId }) => containerId),
  );
  const lost = acknowledged(calls, "acquire")
    .filter(({ containerId }) => !releaseTried.has(containerId))
    .flatMap(({ containerId, addresses }) =>
      addresses
        .filter(({ address, sequence }) => held.get(`${containerId} ${address}`) !== sequence)
        .map(
          ({ address, sequence }) => `${containerId} was granted ${address} as ${sequence}, and it is lost`,
        ),
    );
  const undead = acknowledged(calls, "release")
    .filter(({ containerId }) => holders.has(containerId))
    .map(({ containerId }) => `${containerId} was released, and still holds an address`);
  return [...lost, ...undead];
}

/**
 * By the clients' clock alone: a container certainly has its address from when it was told so until it first
 * asks to give it back. No two of these intervals at one address may overlap.
 */
function checkClientIntervals({ calls }: History): string[] {
  const releaseStarted = new Map<string, number>();
  for (const { kind, containerId, startedMs } of calls) {
    const earlier = releaseStarted.get(containerId) ?? Number.POSITIVE_INFINITY;
    if (kind === "release") releaseStarted.set(containerId, Math.min(earlier, startedMs));
  }
  const intervals = new Map<string, { containerId: string; fromMs: number; toMs: number }[]>();
  for (const { containerId, answeredMs, addresses } of acknowledged(calls, "acquire")) {
    const toMs = releaseStarted.get(containerId) ?? Number.POSITIVE_INFINITY;
    for (const { address } of addresses) {
      intervals.set(address, [...(intervals.get(address) ?? []), { containerId, fromMs: answeredMs, toMs }]);
    }
  }
  return [...intervals].flatMap(([address, stays]) => {
    const sorted = stays.sort((a, b) => a.fromMs - b.fromMs);
    return sorted.flatMap((stay, at) => {
      const clash = sorted
        .slice(0, at)
        .find((earlier) => earlier.containerId !== stay.containerId && earlier.toMs > stay.fromMs);
      return clash === undefined
        ? []
        : [`${address} was with ${clash.containerId} and ${stay.containerId} at once`];
    });
  });
}

/**
 * The invariants: what must hold whatever happened. Pure, so that it can be shown to find what is wrong.
 *
 * 1. No address is on two interfaces.
 * 2. What is live has its interface with its addresses, its lease and its port; no interface has an address that is not
 *    leased to it.
 * 3. Nobody's lease is released while it is live.
 * 4. After the last DEL nothing is left: no link, bound lease, published port, source check, intent or cache entry.
 */
import type { Event, Lease } from "../../lib/ipam/api.ts";
import type { Ledger, Phase } from "./ledger.ts";

/** Kernel, service and files, looked at when all is at rest. Addresses are without prefix length. */
export interface Snapshot {
  /** Links of container namespaces, without the loopback. */
  readonly interfaces: readonly { readonly who: number; readonly addresses: readonly string[] }[];
  /** Ends of container links on the host. */
  readonly hostLinks: readonly string[];
  readonly leases: readonly Pick<Lease, "address" | "state" | "containerId">[];
  /** Comments of firewall elements: each names what it was made for. */
  readonly elements: readonly string[];
  /** Intents and cache entries. */
  readonly files: readonly string[];
}

/** Gives containers their IDs. */
export type IdOf = (who: number) => string;

export interface Case {
  readonly ledger: Ledger;
  readonly snapshot: Snapshot;
  readonly idOf: IdOf;
}

/** Invariants 1 and 2, as sentences; empty when all is right. */
export function judgeLife(one: Case): string[] {
  const live = one.ledger.those("live");
  return [...doubles(one.snapshot), ...unleased(one), ...live.flatMap((who) => lacksOf(who, one))];
}

function doubles({ interfaces }: Snapshot): string[] {
  const holders = new Map<string, number[]>();
  for (const { who, addresses } of interfaces)
    for (const address of addresses) holders.set(address, [...(holders.get(address) ?? []), who]);
  return [...holders]
    .filter(([, whos]) => whos.length > 1)
    .map(
      ([address, whos]) => `${address} is on the interfaces of ${whos.map((who) => `c${who}`).join(", ")}`,
    );
}

/** Whatever call was killed: the lease comes first, and goes last. */
function unleased({ snapshot, idOf }: Case): string[] {
  return snapshot.interfaces.flatMap(({ who, addresses }) => {
    const leased = boundTo(snapshot, idOf(who));
    const lacking = addresses.filter((address) => !leased.includes(address));
    return lacking.map((address) => `the interface of c${who} has ${address}, which is not leased to it`);
  });
}

function boundTo({ leases }: Snapshot, id: string): string[] {
  return leases.flatMap((l) => (l.state === "bound" && l.containerId === id ? [l.address] : []));
}

function lacksOf(who: number, { ledger, snapshot, idOf }: Case): string[] {
  const { addresses, publishes } = ledger.stay(who);
  const link = snapshot.interfaces.find((each) => each.who === who);
  if (link === undefined) return [`c${who} is live and has no interface`];
  const hasPort = portsOf(snapshot, idOf(who)).length > 0;
  return [
    ...addresses.filter((a) => !link.addresses.includes(a)).map((a) => `c${who} is live and lacks ${a}`),
    ...(publishes && !hasPort ? [`c${who} is live and its port is not published`] : []),
  ];
}

function portsOf({ elements }: Snapshot, id: string): string[] {
  return elements.filter((comment) => comment.includes(`/${id}/`));
}

/** Invariant 4. */
export function judgeEnd({ snapshot }: Case): string[] {
  const bound = snapshot.leases.filter(({ state }) => state === "bound");
  return [
    ...snapshot.interfaces.map(({ who }) => `c${who} still has an interface`),
    ...snapshot.hostLinks.map((name) => `link ${name} is left`),
    ...bound.map(({ address, containerId }) => `${address} is still leased to ${containerId}`),
    ...snapshot.elements.map((comment) => `firewall element "${comment}" is left`),
    ...snapshot.files.map((name) => `file ${name} is left`),
  ];
}

/** Events that came while nothing but `phases` changed. */
export interface Window {
  /** Containers that were live, by one and the same stay, from before the first of the events until after the last. */
  readonly live: readonly number[];
  readonly events: readonly Pick<Event, "kind" | "containerId" | "address" | "reason" | "revision">[];
}

/** Invariant 3. */
export function judgeReleases({ live, events }: Window, idOf: IdOf): string[] {
  const owners = new Map(live.map((who) => [idOf(who), who]));
  return events.flatMap(({ kind, containerId, address, revision, reason }) => {
    const who = owners.get(containerId);
    if (kind !== "lease-released" || who === undefined) return [];
    return [`event ${revision} releases ${address} of c${who}, which is live (${reason})`];
  });
}

/** Containers that need a DEL at the end. */
export const TO_DELETE: readonly Phase[] = ["live", "unsure"];

/** What has happened, and who had which address. */

export type EventKind =
  | "network-created"
  | "network-changed"
  | "network-removed"
  | "lease-bound"
  | "lease-released"
  /** The record of an address that was unused for long is forgotten. That cooling ended is no event: `until` told when. */
  | "lease-freed"
  | "lease-quarantined"
  | "lease-unquarantined"
  | "address-reserved"
  | "address-unreserved"
  | "server-started"
  /** The store was another, or an older one, than this boot had seen; now what is attached has been told. */
  | "store-recovered";

/** One change, written in the same transaction as the change itself. */
export interface Event {
  /** Grows by one per event, without gaps. */
  readonly revision: number;
  readonly at: string;
  /** Who asked: `node:NAME`, `uid:0`, `server`. */
  readonly actor: string;
  readonly kind: EventKind;
  readonly networkName: string;
  /** In events about a network itself (`network-…`); empty in others, and in what servers before 0.2 wrote. */
  readonly networkId: string;
  readonly addressSpace: string;
  /** Without prefix length; empty for events about no address. */
  readonly address: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly node: string;
  readonly mac: string;
  readonly sequence: number;
  readonly reason: string;
}

/** A place in the event log of one store: where somebody who follows it has got to. */
export interface EventPlace {
  /** Of the last event that was taken in. */
  readonly revision: number;
  /**
   * `ServiceInfo.logId` of the log that the revision is of. In another log the same number means another event, so
   * the place is refused there. Absent: of whichever log there is.
   */
  readonly logId?: string;
}

export interface EventFilter {
  /** Only events with a higher revision. */
  readonly since?: number;
  /** The log that `since` is of, as in {@link EventPlace}. */
  readonly logId?: string;
  readonly networkName?: string;
  readonly address?: string;
  readonly containerId?: string;
  readonly kind?: EventKind;
  /** Inclusive instants. */
  readonly from?: string;
  readonly to?: string;
  /** Default 1,000, at most 10,000; oldest first. */
  readonly limit?: number;
}

/** Answer to "who had this address": one stay of one attachment. */
export interface Tenancy {
  readonly address: string;
  readonly addressSpace: string;
  readonly networkName: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly node: string;
  readonly mac: string;
  readonly sequence: number;
  readonly from: string;
  /** Null while it lasts. */
  readonly to: string | null;
}

export interface TenancyFilter {
  readonly address: string;
  readonly addressSpace?: string;
  /** Only the stay that covers this instant. */
  readonly at?: string;
}

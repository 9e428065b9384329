/** Who holds which address, and addresses that are set aside. */

/** One attachment as Docker's network model sees it: the container's place on one network, all addresses together. */
export interface Endpoint {
  /** 64 hexadecimal digits: SHA-256 of the JSON text `[networkId, containerId, ifname]`. Lasts as long as the attachment. */
  readonly id: string;
  readonly networkId: string;
  readonly networkName: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly node: string;
  /** Empty where it is not known. */
  readonly mac: string;
  /** The first of `names`; empty when there is none. Not unique: two containers may go by one name. */
  readonly name: string;
  readonly names: readonly string[];
  /** In the order of the network's pools. */
  readonly addresses: readonly EndpointAddress[];
  readonly acquiredAt: string;
}

export interface EndpointAddress {
  /** With the prefix length of its subnet. */
  readonly address: string;
  readonly gateway: string | null;
}

/** All given fields must match. Cheap with a container ID: O(attachments of that container). */
export interface EndpointFilter {
  readonly networkName?: string;
  readonly containerId?: string;
  readonly ifname?: string;
  readonly node?: string;
  /** One of its names. */
  readonly name?: string;
}

export type LeaseState = "bound" | "cooling" | "quarantined" | "reserved";

export interface Lease {
  /** Without prefix length. */
  readonly address: string;
  readonly addressSpace: string;
  readonly networkName: string;
  readonly subnet: string;
  readonly pool: number;
  readonly state: LeaseState;
  readonly sequence: number;
  /** Of the holder; of the last one while cooling; empty for a reservation. */
  readonly containerId: string;
  readonly ifname: string;
  readonly node: string;
  /** Boot of the node in which it was granted. Absent where that is not known. */
  readonly bootId?: string;
  readonly mac: string;
  readonly names: readonly string[];
  readonly acquiredAt: string | null;
  /** When the present state was entered. */
  readonly since: string;
  /** When a cooling address becomes free; null in every other state. */
  readonly until: string | null;
  /** Why it is quarantined or reserved. */
  readonly reason: string;
}

export interface LeaseFilter {
  readonly networkName?: string;
  readonly state?: LeaseState;
  readonly containerId?: string;
  readonly node?: string;
  readonly address?: string;
}

/** Names a reservation. */
export interface ReservationRef {
  readonly networkName: string;
  readonly address: string;
}

export interface ReservationRequest {
  readonly networkName: string;
  readonly address: string;
  readonly reason?: string;
  /**
   * The sticky name that may have the address; without it nobody gets it unless it asks for it by address. Whoever
   * got it so keeps it until the release, over a reboot too.
   */
  readonly stickyName?: string;
}

export interface QuarantineRequest {
  readonly address: string;
  readonly addressSpace?: string;
  readonly reason: string;
}

/** Names an address out of use. */
export interface QuarantineRef {
  readonly address: string;
  readonly addressSpace?: string;
}

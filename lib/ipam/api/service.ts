/** The service itself: the nodes that it knows, its check, its recovery. */
import type { LeaseState } from "./addresses.ts";
import type { AttachmentKey } from "./attachments.ts";

/** A node as far as the leases tell of it: one that holds no address is not known. */
export interface NodeUsage {
  readonly name: string;
  /** Networks that it has attachments on. */
  readonly networks: number;
  readonly attachments: number;
  /** Addresses that these hold. */
  readonly addresses: number;
  /** Boot in which the newest of them was granted. Absent where that is not known. */
  readonly bootId?: string;
  /** When the newest of them was granted. */
  readonly lastAcquiredAt: string;
}

/** A contradiction found by `IpamService.checkConsistency`. */
export interface Finding {
  readonly severity: "error" | "warning";
  readonly object: string;
  readonly problem: string;
  readonly remedy: string;
}

export interface ConsistencyReport {
  readonly revision: number;
  readonly networks: number;
  readonly leases: number;
  readonly findings: readonly Finding[];
}

/** An attachment that was found on a node: by its links, or in a cache of results. */
export interface FoundAttachment {
  readonly key: AttachmentKey;
  /** With prefix length. */
  readonly addresses: readonly string[];
  readonly mac?: string;
  readonly names?: readonly string[];
}

/** A network that was found on a node: by its conflist and its bridge. */
export interface FoundNetwork {
  readonly id: string;
  readonly name: string;
  /** Gateway addresses with prefix length, one per subnet; of a subnet without a gateway the subnet itself. */
  readonly gateways: readonly string[];
  readonly internal: boolean;
  readonly options: Readonly<Record<string, string>>;
}

/** An address that is in use by somebody of whom nothing else is known. */
export interface FoundAddress {
  /** Without prefix length. */
  readonly address: string;
  readonly reason: string;
}

/** All that a node found: what is attached to it now. */
export interface RecoverRequest {
  readonly bootId: string;
  readonly networks: readonly FoundNetwork[];
  readonly attachments: readonly FoundAttachment[];
  readonly addresses: readonly FoundAddress[];
}

export interface RecoverAnswer {
  /** Networks that the store did not have, by name. */
  readonly networks: readonly string[];
  /** Attachments that the store did not know with these addresses, and that hold them again. */
  readonly bound: readonly FoundAttachment[];
  /** Addresses that are out of use from now on. */
  readonly quarantined: readonly string[];
  /** What could not be put right, a sentence each. */
  readonly problems: readonly string[];
}

export interface ServiceInfo {
  readonly version: string;
  /**
   * True while nothing is granted: the store is another, or an older one, than this boot of the machine has seen, and what is
   * attached has not been told yet (`IpamService.recover`).
   */
  readonly recovering: boolean;
  /**
   * Names the store's event log: 32 hexadecimal digits, random. A store that was put back from a backup, or begun anew,
   * while this machine ran on what the former one said has another one (docs/backup.md).
   */
  readonly logId: string;
  /** Grows each time that the store is opened; fences a second server on the same store. */
  readonly epoch: number;
  readonly revision: number;
  readonly networks: number;
  readonly leases: Readonly<Record<LeaseState, number>>;
  readonly startedAt: string;
  readonly store: string;
  /** Where the service runs. Absent: a service before 0.2 does not say it. */
  readonly node?: ServiceNode;
}

/** The machine of a service, and what of it shows that one stands on the same. */
export interface ServiceNode {
  /** Under which those who call from this machine hold leases. */
  readonly name: string;
  /** Of the present boot. */
  readonly bootId: string;
  /** Identity of the network namespace that the service runs in, as readlink(/proc/self/ns/net) gives it. */
  readonly netns: string;
}

/** What acquires, verifies and releases the addresses of attachments. */

/**
 * Names one attachment: what ADD makes and DEL takes away.
 *
 * Source: CNI SPEC 1.1.0, "Attachment Parameters": an attachment is identified by (CNI_CONTAINERID,
 * CNI_IFNAME) on one network.
 */
export interface AttachmentKey {
  readonly networkName: string;
  readonly containerId: string;
  readonly ifname: string;
}

/** One range of a conflist, in host-local's words. `subnet` is required, the rest has defaults. */
export interface RangeDeclaration {
  /** Prefix that the range lies in; also gives the prefix length of the address. Host bits must be zero. */
  readonly subnet: string;
  /** First address handed out, inclusive. Default: the first host of `subnet`. */
  readonly rangeStart?: string;
  /** Last address handed out, inclusive. Default: the last host (IPv4: without the broadcast address). */
  readonly rangeEnd?: string;
  /** Never handed out. Default: the first host of `subnet`. */
  readonly gateway?: string;
  /** Never handed out, each inside `subnet`: a prefix, a range `first-last`, or one address. */
  readonly exclude?: readonly string[];
}

/** Range sets of a conflist: an attachment gets one address out of each set. */
export interface NetworkDeclaration {
  readonly rangeSets: readonly (readonly RangeDeclaration[])[];
  /** Subnets may overlap across address spaces, never inside one. Default: "default". */
  readonly addressSpace?: string;
  /** Seconds for which a released address rests while others are free. Default: the server's (60). */
  readonly coolingSeconds?: number;
}

/** An address of a network that was in use before the service knew of the network. */
export interface SurveyedAddress {
  /** Without prefix length. One that is in none of the network's ranges is passed over. */
  readonly address: string;
  /** Where it was seen, for people: `neighbour of bridge cni0`. */
  readonly seen: string;
  /** Whose it is, where that is known. Without it, the address is quarantined. */
  readonly containerId?: string;
  readonly ifname?: string;
}

/** What a look at the calling node has found of addresses that are in use. */
export interface Survey {
  /** At most {@link MOST_FOUND}, each once. */
  readonly found: readonly SurveyedAddress[];
}

/** Addresses that one survey may tell of: more than one machine has containers, and less than a request may be long. */
export const MOST_FOUND = 2048;

export interface AcquireRequest {
  readonly key: AttachmentKey;
  /**
   * Ranges that the caller's conflist declares. The network is made when there is none of that name; range
   * sets that it does not have yet are added. Without it the network must exist and all its pools are used.
   */
  readonly declaration?: NetworkDeclaration;
  /**
   * True: the caller is able to look for addresses that are in use. Then a declaration of what the service does not know
   * yet is refused with `survey-needed`, and nothing is granted, until the request is repeated with a survey.
   */
  readonly canSurvey?: boolean;
  /** What the caller found. Addresses that the service has a record of stay as they are. */
  readonly survey?: Survey;
  /** Addresses asked for, at most one per pool, each inside a pool. Text without a prefix length. */
  readonly requestedAddresses?: readonly string[];
  /** Workload name: as long as nobody else took it, the same name gets the same addresses again, cooling or not. */
  readonly stickyName?: string;
  /** MAC address that the interface will have. Recorded, never interpreted. */
  readonly mac?: string;
  /** Names under which the container wants to be found. Recorded for the name service. */
  readonly names?: readonly string[];
  /**
   * Boot ID of the node: a change means that every earlier netns of the node is gone. What the attachment held
   * it gets again then, as a new stay (`created: true`), unless it asks for another address, an address went into
   * quarantine meanwhile, or is reserved for a sticky name that this request does not give.
   */
  readonly bootId?: string;
  /**
   * Name that the client gives to this one attempt, and to no other. The same request under the same name is answered as it
   * was the first time; one that was given up ({@link ReleaseRequest.attempts}) is refused.
   */
  readonly attempt?: string;
}

/** One address of an attachment. */
export interface LeasedAddress {
  /** Address with the prefix length of its subnet: `10.1.2.3/24`. */
  readonly address: string;
  readonly gateway: string | null;
  readonly subnet: string;
  /** 0-based place of the pool in the network; addresses come in this order. */
  readonly pool: number;
  /** Grows each time that this address is granted or confirmed. A release that names an older one changes nothing. */
  readonly sequence: number;
  /**
   * True when another MAC address had it a moment ago: it was granted before it had cooled down. Neighbours remember that
   * one, and should be told. Absent otherwise.
   */
  readonly warm?: boolean;
}

export interface AcquireResponse {
  readonly networkId: string;
  readonly addresses: readonly LeasedAddress[];
  /** False when the attachment held these addresses before this call: the caller must not undo them. */
  readonly created: boolean;
}

/** With a key alone: all that is held when it arrives. Each further field leaves less; all of them must agree. */
export interface ReleaseRequest {
  readonly key: AttachmentKey;
  /**
   * Only what was acquired before this instant is released.
   * @deprecated a clock may be wrong; what programs before 0.2 left on disk still says it.
   */
  readonly acquiredBefore?: string;
  /** Only grants with these sequences: those that an acquire was answered with. */
  readonly sequences?: readonly number[];
  /** Only grants with a sequence up to this one. */
  readonly upToSequence?: number;
  /** Acquires of this key that their client gave up: one that arrives only now is refused. */
  readonly attempts?: readonly string[];
  /** True: only what these attempts were granted; what they confirmed stays. */
  readonly onlyAttempts?: boolean;
  /** Name of this release, as {@link AcquireRequest.attempt}: it is carried out once, however often it arrives. */
  readonly attempt?: string;
  /** True: also what another node holds. For people; plugins and agents release what is theirs. */
  readonly anyNode?: boolean;
  /** Recorded with the event: why, where it was not the end of a container. */
  readonly reason?: string;
}

export interface ReleaseResponse {
  /** Addresses (without prefix length) that went into cooling; empty when there was nothing to release. */
  readonly released: readonly string[];
  /** Addresses that the attachment still holds. */
  readonly kept: readonly string[];
}

export interface VerifyRequest {
  readonly key: AttachmentKey;
  /**
   * Addresses (with or without prefix length) that the container was told of. Every address that the attachment
   * holds must be among them; others may be, since later plugins of a chain add their own.
   */
  readonly addresses?: readonly string[];
}

export interface GcRequest {
  readonly networkName: string;
  /** Attachments that are alive. Everything else of the network that the calling node holds is released. */
  readonly validAttachments: readonly { readonly containerId: string; readonly ifname: string }[];
}

export interface GcResponse {
  readonly released: readonly AttachmentKey[];
}

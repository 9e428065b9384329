/**
 * The IPAM service as its callers see it: the values that cross its edges and the operations on them.
 *
 * Every value here is plain JSON. The three fronts (unix socket, HTTP, gRPC) carry exactly these shapes, and
 * the one implementation (`ipam-server/service.ts`) and every client implement {@link IpamService}.
 * Addresses, prefixes and instants are text: `10.1.2.3`, `10.1.0.0/24`, RFC 3339 in UTC with milliseconds.
 */

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

export interface NetworkStatusRequest {
  readonly networkName: string;
  readonly declaration?: NetworkDeclaration;
}

/** Who is where in one pool. The five counts add up to `size`. */
export interface PoolUsage {
  readonly pool: number;
  readonly family: 4 | 6;
  readonly subnets: readonly string[];
  /** Addresses that the ranges of the pool span. A decimal string: an IPv6 pool exceeds 2^53. */
  readonly size: string;
  readonly bound: number;
  readonly cooling: number;
  readonly quarantined: number;
  /** Reserved, excluded and gateway addresses inside the ranges. */
  readonly withheld: string;
  readonly free: string;
}

export interface NetworkStatus {
  readonly networkName: string;
  /** True when an acquire with no wishes would be served now. */
  readonly ready: boolean;
  /** Why not, in a sentence that names the pool and its counts; empty when ready. */
  readonly reason: string;
  readonly pools: readonly PoolUsage[];
}

export interface SubnetSpec {
  readonly subnet: string;
  /** Only addresses of this prefix are handed out unasked. Default: the whole subnet. */
  readonly ipRange?: string;
  readonly rangeStart?: string;
  readonly rangeEnd?: string;
  /** Default: the first host of the subnet. `null`: no gateway. */
  readonly gateway?: string | null;
  /** Never handed out; name → address. */
  readonly auxAddresses?: Readonly<Record<string, string>>;
  /** Never handed out, inclusive on both ends: `10.1.0.10-10.1.0.19`, a prefix, or one address. */
  readonly exclusions?: readonly string[];
}

export interface CreateNetworkRequest {
  readonly name: string;
  /** Default: "bridge". */
  readonly driver?: string;
  /** Empty or absent: one IPv4 subnet (and with `ipv6` one IPv6 subnet) is leased from the default pools. */
  readonly subnets?: readonly SubnetSpec[];
  readonly ipv6?: boolean;
  readonly internal?: boolean;
  /** Recorded for tools that ask; every container may be attached whatever it says. Default: false. */
  readonly attachable?: boolean;
  readonly addressSpace?: string;
  readonly coolingSeconds?: number;
  /** Attachments that the network may hold at once. Default: no limit. */
  readonly maxAttachments?: number;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * Prefixes and addresses that a subnet out of the default pools must not touch: what the host reaches by other
   * ways (its routes, its name servers). Default routes count for nothing. A subnet that the request names is not
   * held against them.
   */
  readonly avoid?: readonly string[];
}

export interface Subnet {
  readonly subnet: string;
  readonly gateway: string | null;
  /** True when whoever made the network named the gateway; false for the default one. */
  readonly gatewayGiven: boolean;
  /** The prefix that addresses are handed out of unasked, as it was given; null: the whole subnet. */
  readonly ipRange: string | null;
  /** Ranges that addresses are handed out from, `first-last`, inclusive. */
  readonly ranges: readonly string[];
  readonly exclusions: readonly string[];
  readonly auxAddresses: Readonly<Record<string, string>>;
  /** True when the subnet came from the default pools. */
  readonly fromDefaultPool: boolean;
}

export interface Pool {
  readonly pool: number;
  readonly family: 4 | 6;
  readonly subnets: readonly Subnet[];
}

export interface Network {
  /** 64 hexadecimal digits, random, never reused. */
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /**
   * "api": made by an admin. "conflist": declared by a node's configuration; removable when it is empty.
   * "predefined": `bridge`, `host` and `none`, which every server has and nobody can remove.
   */
  readonly origin: "api" | "conflist" | "predefined";
  readonly addressSpace: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  /** True when it has an IPv6 subnet. */
  readonly ipv6: boolean;
  readonly coolingSeconds: number;
  readonly maxAttachments: number | null;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Empty for a network that hands out no addresses: drivers `host` and `null`, `macvlan` without a subnet. */
  readonly pools: readonly Pool[];
  readonly attachments: number;
  readonly createdAt: string;
}

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
   * {@link ServiceInfo.logId} of the log that the revision is of. In another log the same number means another event, so
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

/** A contradiction found by {@link IpamService.checkConsistency}. */
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
  /** Gateway addresses with prefix length, one per subnet. */
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
   * attached has not been told yet ({@link IpamService.recover}).
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
}

/** On whose behalf a call is made. The front that took the call fills it in. */
export interface Caller {
  /** Written into events: `uid:0`, `node:n1`. */
  readonly actor: string;
  /** The node that acquired leases belong to, and that GC is confined to. */
  readonly node: string;
}

/**
 * The operations. Each is safe to call concurrently and safe to repeat; each answers only after what it
 * changed is durable; each failure is a `FairleadError` with a code of lib/errors.ts and leaves no change.
 */
export interface IpamService {
  /**
   * Binds one address of every pool to `key`, all in one transaction.
   * A key that holds addresses already gets the same ones (`created: false`).
   * @throws pool-exhausted, quota-exceeded, address-in-use, subnet-overlap, survey-needed, not-found, invalid-config,
   * unavailable
   */
  acquire(request: AcquireRequest, caller: Caller): Promise<AcquireResponse>;
  /** Puts what `key` holds into cooling. A key that holds nothing is a success. */
  release(request: ReleaseRequest, caller: Caller): Promise<ReleaseResponse>;
  /** @throws check-failed when the attachment holds nothing, or an address that is not among those given. */
  verify(request: VerifyRequest, caller: Caller): Promise<void>;
  gc(request: GcRequest, caller: Caller): Promise<GcResponse>;
  networkStatus(request: NetworkStatusRequest, caller: Caller): Promise<NetworkStatus>;

  /** @throws already-exists, subnet-overlap, pool-exhausted (default pools), invalid-config */
  createNetwork(request: CreateNetworkRequest, caller: Caller): Promise<Network>;
  listNetworks(): Promise<readonly Network[]>;
  /** @throws not-found. `name` is a name, a full ID or an unambiguous prefix of an ID. */
  getNetwork(name: string): Promise<Network>;
  /** @throws not-found, permission-denied (predefined), in-use while attachments hold addresses. */
  removeNetwork(name: string, caller: Caller): Promise<void>;

  listLeases(filter: LeaseFilter): Promise<readonly Lease[]>;
  /** By network name, then name, container ID and ifname. */
  listEndpoints(filter: EndpointFilter): Promise<readonly Endpoint[]>;
  /** @throws address-in-use, not-found, invalid-config */
  reserve(request: ReservationRequest, caller: Caller): Promise<Lease>;
  /** Absent reservation: success. */
  unreserve(networkName: string, address: string, caller: Caller): Promise<void>;
  /** Keeps an address out of use until it is taken back. A bound one stays with its holder, then stays out. */
  quarantine(request: QuarantineRequest, caller: Caller): Promise<void>;
  unquarantine(address: string, addressSpace: string | undefined, caller: Caller): Promise<void>;

  /** @throws compacted when `since` is older than the oldest event kept, newer than the newest, or of another log. */
  listEvents(filter: EventFilter): Promise<readonly Event[]>;
  /** Calls back for each event after `since`, in order, each once. Returns the function that stops it. */
  watchEvents(since: EventPlace, onEvent: (event: Event) => void): () => void;
  whoHad(filter: TenancyFilter): Promise<readonly Tenancy[]>;
  checkConsistency(): Promise<ConsistencyReport>;
  /**
   * Takes in what is attached to the caller's node, and ends {@link ServiceInfo.recovering}. What the store does not know is
   * bound again; an address whose holder is not known, or cannot be bound, goes into quarantine.
   */
  recover(request: RecoverRequest, caller: Caller): Promise<RecoverAnswer>;
  info(): Promise<ServiceInfo>;
}

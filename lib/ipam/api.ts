/**
 * The IPAM service as its callers see it: the values that cross its edges and the operations on them.
 *
 * Every value here is plain JSON. The three fronts (unix socket, HTTP, gRPC) carry exactly these shapes, and
 * the one implementation (`ipam-server/service.ts`) and every client implement {@link IpamService}.
 * Addresses, prefixes and instants are text: `10.1.2.3`, `10.1.0.0/24`, RFC 3339 in UTC with milliseconds.
 */
import type {
  Endpoint,
  EndpointFilter,
  Lease,
  LeaseFilter,
  QuarantineRef,
  QuarantineRequest,
  ReservationRef,
  ReservationRequest,
} from "./api/addresses.ts";
import type {
  AcquireRequest,
  AcquireResponse,
  GcRequest,
  GcResponse,
  ReleaseRequest,
  ReleaseResponse,
  VerifyRequest,
} from "./api/attachments.ts";
import type { Event, EventFilter, EventPlace, Tenancy, TenancyFilter } from "./api/history.ts";
import type {
  CreateNetworkRequest,
  Network,
  NetworkRef,
  NetworkStatus,
  NetworkStatusRequest,
} from "./api/networks.ts";
import type {
  ConsistencyReport,
  NodeUsage,
  RecoverAnswer,
  RecoverRequest,
  ServiceInfo,
} from "./api/service.ts";

export type * from "./api/addresses.ts";
export type * from "./api/attachments.ts";
export { MOST_FOUND } from "./api/attachments.ts";
export type * from "./api/history.ts";
export type * from "./api/networks.ts";
export type * from "./api/service.ts";

/** On whose behalf a call is made. The front that took the call fills it in. */
export interface Caller {
  /** Written into events: `uid:0`, `node:n1`. */
  readonly actor: string;
  /** The node that acquired leases belong to, and that GC is confined to. */
  readonly node: string;
  /** Its present boot, where the call comes from that very machine: what was granted in it is its own, whatever it was called then. */
  readonly bootId?: string;
  /** What it may call: by the rows of lib/ipam/operations.ts. Absent: everything. */
  readonly role?: "node" | "operator";
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
  /** @throws not-found */
  getNetwork(ref: NetworkRef): Promise<Network>;
  /** @throws not-found, permission-denied (predefined), in-use while attachments hold addresses. */
  removeNetwork(ref: NetworkRef, caller: Caller): Promise<void>;

  /** By network name and address: all as they are at one revision. */
  listLeases(filter: LeaseFilter): Promise<readonly Lease[]>;
  /**
   * The same in pieces, for lists of any length: the first comes at once, and what comes later is of the same revision as
   * the first, however slowly it is taken. Nobody else waits for more than a piece. Whoever stops early ends the iteration.
   */
  streamLeases(filter: LeaseFilter): AsyncIterable<readonly Lease[]>;
  /** By network name, then the first address: all as they are at one revision. */
  listEndpoints(filter: EndpointFilter): Promise<readonly Endpoint[]>;
  /** As {@link streamLeases}. */
  streamEndpoints(filter: EndpointFilter): AsyncIterable<readonly Endpoint[]>;
  /** @throws address-in-use, not-found, invalid-config */
  reserve(request: ReservationRequest, caller: Caller): Promise<Lease>;
  /** Absent reservation: success. */
  unreserve(ref: ReservationRef, caller: Caller): Promise<void>;
  /** Keeps an address out of use until it is taken back. A bound one stays with its holder, then stays out. */
  quarantine(request: QuarantineRequest, caller: Caller): Promise<void>;
  unquarantine(ref: QuarantineRef, caller: Caller): Promise<void>;

  /** @throws compacted when `since` is older than the oldest event kept, newer than the newest, or of another log. */
  listEvents(filter: EventFilter): Promise<readonly Event[]>;
  /** Calls back for each event after `since`, in order, each once. Returns the function that stops it. */
  watchEvents(since: EventPlace, onEvent: (event: Event) => void): () => void;
  /** Oldest first, as far as the log goes back. */
  whoHad(filter: TenancyFilter): Promise<readonly Tenancy[]>;
  /** The same in pieces; the newest stay is as it is when the last piece is made. */
  streamTenancies(filter: TenancyFilter): AsyncIterable<readonly Tenancy[]>;
  /** By name, as they are at one revision. */
  listNodes(): Promise<readonly NodeUsage[]>;
  checkConsistency(): Promise<ConsistencyReport>;
  /**
   * Takes in what is attached to the caller's node, and ends {@link ServiceInfo.recovering}. What the store does not know is
   * bound again; an address whose holder is not known, or cannot be bound, goes into quarantine.
   */
  recover(request: RecoverRequest, caller: Caller): Promise<RecoverAnswer>;
  info(): Promise<ServiceInfo>;
}

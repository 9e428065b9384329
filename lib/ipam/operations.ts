/**
 * The operations of the service, one row each: what it is called, where it is found over HTTP and gRPC, the schemas of its request and
 * its answer, who may call it. Both fronts, the OpenAPI document and every client are made from these rows.
 *
 * A row is named as the method of `IpamService` that it stands for, and the compiler demands one for each. One rule says how a request
 * travels over HTTP: the fields that the path names go there, the others go into the JSON body of a POST and into the query of anything
 * else.
 */
import type { ErrorCode } from "../errors.ts";
import type { Caller, IpamService } from "./api.ts";

/** Methods that answer once. */
export type OperationName = Exclude<keyof IpamService, StreamName | "watchEvents">;

/** Methods that answer with a list in pieces. */
type StreamName = Extract<keyof IpamService, `stream${string}`>;

/** What an operation is asked with: the first parameter of its method; an empty object where it has none. */
export type RequestOf<N extends OperationName> =
  Parameters<IpamService[N]> extends [infer Request extends object, ...unknown[]] ? Request : object;

export type AnswerOf<N extends OperationName> = Awaited<ReturnType<IpamService[N]>>;

/** Where something is found over HTTP, and how errors call it. */
export interface Operation {
  readonly title: string;
  readonly method: "GET" | "POST" | "DELETE";
  /** `:field` stands for one path segment. */
  readonly path: string;
}

export interface OperationRow extends Operation {
  /** Its method in proto/fairlead/v1/ipam.proto, as JavaScript writes it. */
  readonly rpc: string;
  readonly tag: "attachments" | "networks" | "addresses" | "history" | "service";
  /** For the API's documentation. */
  readonly summary: string;
  /** Who may call it: `node` nodes as well as operators, `operator` only who looks after networks (docs/networks-service.md). */
  readonly role: NonNullable<Caller["role"]>;
  /** Name of the request's schema; null when there is nothing to say. */
  readonly request: string | null;
  /** Name of the answer's schema; null when it says no more than that it was done. */
  readonly answer: string | null;
  /** Of a list: the field under which it is sent. An object can grow fields, a bare list cannot. */
  readonly list?: string;
  /** Of a list of any length: the method that gives it in pieces. */
  readonly stream?: StreamName;
  /** HTTP status of a success with a body. Default: 200. */
  readonly status?: 201;
  /** Errors beyond those that every operation has. */
  readonly errors: readonly ErrorCode[];
  /** Most bytes of a request over HTTP. Default: a mebibyte. */
  readonly bodyLimitBytes?: number;
  /** True: not carried out for a client that has gone. Nobody would know of a grant, and what a GC goes by has aged. */
  readonly endsWithClient?: boolean;
}

/** 100,000 attachments with long names. */
const LARGE_BODY_BYTES = 32 * 1024 * 1024;

export const OPERATIONS = {
  acquire: {
    title: "acquire",
    method: "POST",
    path: "/v1/attachments/acquire",
    rpc: "acquire",
    tag: "attachments",
    summary: "Binds one address of every pool to an attachment; the same ones when it holds some already",
    role: "node",
    request: "AcquireRequest",
    answer: "AcquireResponse",
    errors: [
      "pool-exhausted",
      "quota-exceeded",
      "address-in-use",
      "subnet-overlap",
      "survey-needed",
      "not-found",
    ],
    endsWithClient: true,
  },
  release: {
    title: "release",
    method: "POST",
    path: "/v1/attachments/release",
    rpc: "release",
    tag: "attachments",
    summary: "Puts what an attachment holds into cooling; one that holds nothing is a success",
    role: "node",
    request: "ReleaseRequest",
    answer: "ReleaseResponse",
    errors: [],
  },
  verify: {
    title: "verify",
    method: "POST",
    path: "/v1/attachments/verify",
    rpc: "verify",
    tag: "attachments",
    summary: "Succeeds when the attachment holds addresses, and all that it holds are among those given",
    role: "node",
    request: "VerifyRequest",
    answer: null,
    errors: ["check-failed"],
  },
  gc: {
    title: "collect garbage",
    method: "POST",
    path: "/v1/attachments/gc",
    rpc: "gc",
    tag: "attachments",
    summary: "Releases what the calling node holds in a network, except for the valid attachments",
    role: "node",
    request: "GcRequest",
    answer: "GcResponse",
    errors: [],
    bodyLimitBytes: LARGE_BODY_BYTES,
    endsWithClient: true,
  },
  networkStatus: {
    title: "read network status",
    method: "POST",
    path: "/v1/networks/status",
    rpc: "getNetworkStatus",
    tag: "networks",
    summary: "Tells whether an acquire would be served now, and who holds how much of each pool",
    role: "node",
    request: "NetworkStatusRequest",
    answer: "NetworkStatus",
    errors: ["not-found"],
  },
  createNetwork: {
    title: "create network",
    method: "POST",
    path: "/v1/networks",
    rpc: "createNetwork",
    tag: "networks",
    summary: "Makes a network; without subnets it gets them from the default pools",
    role: "operator",
    request: "CreateNetworkRequest",
    answer: "Network",
    status: 201,
    errors: ["already-exists", "subnet-overlap", "pool-exhausted", "permission-denied"],
  },
  listNetworks: {
    title: "list networks",
    method: "GET",
    path: "/v1/networks",
    rpc: "listNetworks",
    tag: "networks",
    summary: "All networks",
    role: "node",
    request: null,
    answer: "Networks",
    list: "networks",
    errors: [],
  },
  getNetwork: {
    title: "read network",
    method: "GET",
    path: "/v1/networks/:name",
    rpc: "getNetwork",
    tag: "networks",
    summary: "One network",
    role: "node",
    request: "NetworkRefRequest",
    answer: "Network",
    errors: ["not-found"],
  },
  removeNetwork: {
    title: "remove network",
    method: "DELETE",
    path: "/v1/networks/:name",
    rpc: "removeNetwork",
    tag: "networks",
    summary: "Removes a network that no attachment holds addresses of",
    role: "operator",
    request: "NetworkRefRequest",
    answer: null,
    errors: ["not-found", "in-use", "permission-denied"],
  },
  listLeases: {
    title: "list leases",
    method: "GET",
    path: "/v1/leases",
    rpc: "listLeases",
    tag: "addresses",
    summary: "Addresses that are not free; all given parameters must match",
    role: "node",
    request: "LeaseFilter",
    answer: "Leases",
    list: "leases",
    stream: "streamLeases",
    errors: [],
  },
  listEndpoints: {
    title: "list endpoints",
    method: "GET",
    path: "/v1/endpoints",
    rpc: "listEndpoints",
    tag: "networks",
    summary: "Attachments with all their addresses; all given parameters must match",
    role: "node",
    request: "EndpointFilter",
    answer: "Endpoints",
    list: "endpoints",
    stream: "streamEndpoints",
    errors: [],
  },
  reserve: {
    title: "reserve",
    method: "POST",
    path: "/v1/networks/:networkName/reservations",
    rpc: "reserve",
    tag: "addresses",
    summary: "Sets an address aside",
    role: "operator",
    request: "ReservationRequest",
    answer: "Lease",
    status: 201,
    errors: ["address-in-use", "not-found"],
  },
  unreserve: {
    title: "unreserve",
    method: "DELETE",
    path: "/v1/networks/:networkName/reservations/:address",
    rpc: "unreserve",
    tag: "addresses",
    summary: "Takes a reservation back; one that does not exist is a success",
    role: "operator",
    request: "UnreserveRequest",
    answer: null,
    errors: ["not-found"],
  },
  quarantine: {
    title: "quarantine",
    method: "POST",
    path: "/v1/addresses/:address/quarantine",
    rpc: "quarantine",
    tag: "addresses",
    summary: "Keeps an address out of use; a bound one stays with its holder, then stays out",
    role: "node",
    request: "QuarantineRequest",
    answer: null,
    errors: ["not-found"],
  },
  unquarantine: {
    title: "unquarantine",
    method: "DELETE",
    path: "/v1/addresses/:address/quarantine",
    rpc: "unquarantine",
    tag: "addresses",
    summary: "Takes a quarantine back",
    role: "operator",
    request: "UnquarantineRequest",
    answer: null,
    errors: ["not-found"],
  },
  listEvents: {
    title: "list events",
    method: "GET",
    path: "/v1/events",
    rpc: "listEvents",
    tag: "history",
    summary: "Events, oldest first; all given parameters must match",
    role: "node",
    request: "EventFilter",
    answer: "Events",
    list: "events",
    errors: ["compacted"],
  },
  whoHad: {
    title: "read history",
    method: "GET",
    path: "/v1/addresses/:address/history",
    rpc: "whoHad",
    tag: "history",
    summary: "Who has had an address, and when; oldest stay first",
    role: "node",
    request: "TenancyFilter",
    answer: "Tenancies",
    list: "tenancies",
    stream: "streamTenancies",
    errors: [],
  },
  listNodes: {
    title: "list nodes",
    method: "GET",
    path: "/v1/nodes",
    rpc: "listNodes",
    tag: "service",
    summary: "Nodes that hold addresses, and how many",
    role: "node",
    request: null,
    answer: "Nodes",
    list: "nodes",
    errors: [],
  },
  checkConsistency: {
    title: "check consistency",
    method: "GET",
    path: "/v1/check",
    rpc: "checkConsistency",
    tag: "service",
    summary: "Looks for contradictions in what is stored; changes nothing",
    role: "operator",
    request: null,
    answer: "ConsistencyReport",
    errors: [],
  },
  recover: {
    title: "recover",
    method: "POST",
    path: "/v1/recover",
    rpc: "recover",
    tag: "service",
    summary: "Takes in what is attached to the calling node, and ends a recovery",
    role: "node",
    request: "RecoverRequest",
    answer: "RecoverAnswer",
    errors: [],
    bodyLimitBytes: LARGE_BODY_BYTES,
  },
  info: {
    title: "read service info",
    method: "GET",
    path: "/v1/info",
    rpc: "getInfo",
    tag: "service",
    summary: "Version, epoch and size of the service",
    role: "node",
    request: null,
    answer: "ServiceInfo",
    errors: [],
  },
} as const satisfies { readonly [N in OperationName]: OperationRow };

/** The same, for whoever goes through all of them. */
export const OPERATION_ROWS = Object.entries(OPERATIONS) as readonly [OperationName, OperationRow][];

/** What answers for as long as somebody listens: `IpamService.watchEvents`. */
export const WATCH_EVENTS = {
  title: "watch events",
  method: "GET",
  path: "/v1/events/stream",
} as const satisfies Operation;

/** Names of the fields that travel in `path`. */
export function pathFields(path: string): string[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, field = ""]) => field);
}

export interface RequestParts {
  readonly method: Operation["method"];
  /** With its query. */
  readonly target: string;
  /** JSON text; absent where there is no body. */
  readonly body?: string;
}

/** Lays out `request` by the rule above. Fields that are undefined are left out. */
export function layOutRequest({ method, path }: Operation, request: object = {}): RequestParts {
  const rest = new Map(Object.entries(request).filter(([, value]) => value !== undefined));
  const filled = path.replace(/:(\w+)/g, (_, field: string) => {
    const segment = encodeURIComponent(String(rest.get(field) ?? ""));
    rest.delete(field);
    return segment;
  });
  if (method === "POST") return { method, target: filled, body: JSON.stringify(Object.fromEntries(rest)) };
  const query = new URLSearchParams(
    [...rest].map(([field, value]): [string, string] => [field, String(value)]),
  );
  return { method, target: query.size > 0 ? `${filled}?${query}` : filled };
}

/** The answer as the operation's method gives it, out of what came over HTTP: a list comes in a field of an object. */
export function answerFrom<N extends OperationName>(name: N, sent: unknown): AnswerOf<N> {
  const { list }: OperationRow = OPERATIONS[name];
  return (list === undefined ? sent : (sent as Record<string, unknown>)[list]) as AnswerOf<N>;
}

/**
 * What HTTP adds to the operations: status, documentation, and how an answer is wrapped. Where a request
 * travels is said by lib/rpc/operations.ts, what it holds by the schema table.
 */
import type { ErrorCode } from "../../lib/errors.ts";
import type { UnaryOperation } from "../operation-calls.ts";
import type { ANSWER_SCHEMAS } from "../schema/answers.ts";

export interface RouteFacts {
  readonly tag: "attachments" | "networks" | "addresses" | "history" | "service";
  readonly summary: string;
  /** Schema of the body of a success; null: 204 without one. */
  readonly answer: keyof typeof ANSWER_SCHEMAS | null;
  /** Status of a success with a body. Default: 200. */
  readonly status?: 201;
  /** Errors beyond those that every route has. */
  readonly errors: readonly ErrorCode[];
  /** Field under which a list is sent: an object can grow fields, a bare list cannot. */
  readonly wrap?: "networks" | "leases" | "endpoints" | "events" | "tenancies";
  /** Most bytes of a request body. */
  readonly bodyLimitBytes?: number;
}

/** 100,000 attachments with long names. */
const GC_BODY_LIMIT_BYTES = 32 * 1024 * 1024;

export const ROUTES: { readonly [N in UnaryOperation]: RouteFacts } = {
  acquire: {
    tag: "attachments",
    summary: "Binds one address of every pool to an attachment; the same ones when it holds some already",
    answer: "AcquireResponse",
    errors: [
      "pool-exhausted",
      "quota-exceeded",
      "address-in-use",
      "subnet-overlap",
      "survey-needed",
      "not-found",
    ],
  },
  release: {
    tag: "attachments",
    summary: "Puts what an attachment holds into cooling; one that holds nothing is a success",
    answer: "ReleaseResponse",
    errors: [],
  },
  verify: {
    tag: "attachments",
    summary: "Succeeds when the attachment holds addresses, and all that it holds are among those given",
    answer: null,
    errors: ["check-failed"],
  },
  gc: {
    tag: "attachments",
    summary: "Releases what the calling node holds in a network, except for the valid attachments",
    answer: "GcResponse",
    errors: [],
    bodyLimitBytes: GC_BODY_LIMIT_BYTES,
  },
  networkStatus: {
    tag: "networks",
    summary: "Tells whether an acquire would be served now, and who holds how much of each pool",
    answer: "NetworkStatus",
    errors: ["not-found"],
  },
  createNetwork: {
    tag: "networks",
    summary: "Makes a network; without subnets it gets them from the default pools",
    answer: "Network",
    status: 201,
    errors: ["already-exists", "subnet-overlap", "pool-exhausted", "permission-denied"],
  },
  listNetworks: {
    tag: "networks",
    summary: "All networks",
    answer: "Networks",
    errors: [],
    wrap: "networks",
  },
  getNetwork: { tag: "networks", summary: "One network", answer: "Network", errors: ["not-found"] },
  removeNetwork: {
    tag: "networks",
    summary: "Removes a network that no attachment holds addresses of",
    answer: null,
    errors: ["not-found", "in-use", "permission-denied"],
  },
  listLeases: {
    tag: "addresses",
    summary: "Addresses that are not free; all given parameters must match",
    answer: "Leases",
    errors: [],
    wrap: "leases",
  },
  listEndpoints: {
    tag: "networks",
    summary: "Attachments with all their addresses; all given parameters must match",
    answer: "Endpoints",
    errors: [],
    wrap: "endpoints",
  },
  reserve: {
    tag: "addresses",
    summary: "Sets an address aside",
    answer: "Lease",
    status: 201,
    errors: ["address-in-use", "not-found"],
  },
  unreserve: {
    tag: "addresses",
    summary: "Takes a reservation back; one that does not exist is a success",
    answer: null,
    errors: ["not-found"],
  },
  quarantine: {
    tag: "addresses",
    summary: "Keeps an address out of use; a bound one stays with its holder, then stays out",
    answer: null,
    errors: ["not-found"],
  },
  unquarantine: {
    tag: "addresses",
    summary: "Takes a quarantine back",
    answer: null,
    errors: ["not-found"],
  },
  listEvents: {
    tag: "history",
    summary: "Events, oldest first; all given parameters must match",
    answer: "Events",
    errors: ["compacted"],
    wrap: "events",
  },
  whoHad: {
    tag: "history",
    summary: "Who has had an address, and when; oldest stay first",
    answer: "Tenancies",
    errors: [],
    wrap: "tenancies",
  },
  checkConsistency: {
    tag: "service",
    summary: "Looks for contradictions in what is stored; changes nothing",
    answer: "ConsistencyReport",
    errors: [],
  },
  recover: {
    tag: "service",
    summary: "Takes in what is attached to the calling node, and ends a recovery",
    answer: "RecoverAnswer",
    errors: [],
    bodyLimitBytes: GC_BODY_LIMIT_BYTES,
  },
  info: {
    tag: "service",
    summary: "Version, epoch and size of the service",
    answer: "ServiceInfo",
    errors: [],
  },
};

/**
 * The one error type of Fairlead, and the one table that says what it becomes at each edge.
 *
 * Inside the program an error is a {@link FairleadError} with a stable `code`. Only the rim (CNI stdout,
 * gRPC, HTTP, process exit) looks the code up in {@link ERROR_TABLE}; nobody else invents a number.
 *
 * Source of the CNI column: CNI SPEC 1.1.0, "Error" (0–99 reserved, 100 and above ours) and
 * `ErrInvalidNetNS = 8` of the reference skeleton. gRPC column: google.rpc.Code names.
 */

/** What one error code becomes at each edge. */
export interface ErrorRow {
  /** CNI error code on stdout. */
  readonly cni: number;
  /** google.rpc.Code, by name, so that no layer needs the gRPC library to read it. */
  readonly grpc: string;
  /** HTTP status. */
  readonly http: number;
  /** Exit status of the CLI. (A CNI plugin always exits 1 on error.) */
  readonly exit: number;
}

export const ERROR_TABLE = {
  /** cniVersion not supported, or a verb that this cniVersion does not have. */
  "incompatible-cni-version": { cni: 1, grpc: "FAILED_PRECONDITION", http: 400, exit: 2 },
  /** A field holds a value that we (or this kernel) cannot serve; the message names key and value. */
  "unsupported-field": { cni: 2, grpc: "UNIMPLEMENTED", http: 422, exit: 2 },
  /** The container is not known; the runtime need not call DEL. */
  "unknown-container": { cni: 3, grpc: "NOT_FOUND", http: 404, exit: 4 },
  /** A CNI_* variable is missing or wrong; the message names it. */
  "invalid-environment": { cni: 4, grpc: "INVALID_ARGUMENT", http: 400, exit: 2 },
  /** Reading or writing a file, pipe or socket failed. */
  "io-failure": { cni: 5, grpc: "INTERNAL", http: 500, exit: 1 },
  /** Bytes that are not what they should be: JSON, netlink, HTTP. */
  "decode-failure": { cni: 6, grpc: "INVALID_ARGUMENT", http: 400, exit: 2 },
  /** The network configuration, or a request to the service, breaks a rule. */
  "invalid-config": { cni: 7, grpc: "INVALID_ARGUMENT", http: 400, exit: 2 },
  /** CNI_NETNS is not a network namespace, or is our own. */
  "invalid-netns": { cni: 8, grpc: "FAILED_PRECONDITION", http: 400, exit: 2 },
  /** The service cannot be reached or is not ready; the same call may succeed later. */
  unavailable: { cni: 11, grpc: "UNAVAILABLE", http: 503, exit: 5 },
  /** No answer within the time limit; whether it took effect is unknown; repeating is safe. */
  timeout: { cni: 11, grpc: "DEADLINE_EXCEEDED", http: 504, exit: 5 },
  /** Every address of a pool is bound, cooling, quarantined, reserved or excluded. */
  "pool-exhausted": { cni: 11, grpc: "RESOURCE_EXHAUSTED", http: 409, exit: 6 },
  /** A quota of the network is used up. */
  "quota-exceeded": { cni: 11, grpc: "RESOURCE_EXHAUSTED", http: 409, exit: 6 },
  /** STATUS: ADD cannot be served now. */
  "plugin-unavailable": { cni: 50, grpc: "UNAVAILABLE", http: 503, exit: 5 },
  /** STATUS: ADD cannot be served, and existing containers have limited connectivity. */
  "plugin-limited": { cni: 51, grpc: "UNAVAILABLE", http: 503, exit: 5 },
  /** The object to be made exists already (interface, network, reservation). */
  "already-exists": { cni: 100, grpc: "ALREADY_EXISTS", http: 409, exit: 3 },
  /** The object named does not exist (network, lease, bridge). */
  "not-found": { cni: 101, grpc: "NOT_FOUND", http: 404, exit: 4 },
  /** The requested address is held by another attachment, reserved, cooling or quarantined. */
  "address-in-use": { cni: 102, grpc: "ALREADY_EXISTS", http: 409, exit: 3 },
  /** A subnet overlaps another one of the same address space. */
  "subnet-overlap": { cni: 103, grpc: "ALREADY_EXISTS", http: 409, exit: 3 },
  /** The object is still used and cannot be removed or changed. */
  "in-use": { cni: 104, grpc: "FAILED_PRECONDITION", http: 409, exit: 3 },
  /** CHECK: something that ADD made is missing or differs. */
  "check-failed": { cni: 105, grpc: "FAILED_PRECONDITION", http: 409, exit: 1 },
  /** The kernel refused a request; the message holds errno and the kernel's own text. */
  "kernel-refused": { cni: 106, grpc: "FAILED_PRECONDITION", http: 500, exit: 1 },
  /** The caller may not do this. */
  "permission-denied": { cni: 107, grpc: "PERMISSION_DENIED", http: 403, exit: 7 },
  /** The caller did not say, or prove, who it is. */
  unauthenticated: { cni: 108, grpc: "UNAUTHENTICATED", http: 401, exit: 7 },
  /** A resume point (event revision) is older than what is kept: list again. */
  compacted: { cni: 109, grpc: "OUT_OF_RANGE", http: 410, exit: 1 },
  /** Several independent things failed; `errors` holds them all. */
  multiple: { cni: 110, grpc: "INTERNAL", http: 500, exit: 1 },
  /** A plugin named in the configuration is not in CNI_PATH or could not be executed. */
  "plugin-not-found": { cni: 111, grpc: "NOT_FOUND", http: 404, exit: 4 },
  /** The network is new to the service: the caller, which said that it can, is to look for addresses in use first. */
  "survey-needed": { cni: 112, grpc: "FAILED_PRECONDITION", http: 409, exit: 1 },
  /** A fault of ours. */
  internal: { cni: 999, grpc: "INTERNAL", http: 500, exit: 1 },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** The parts of an error. Every message reads `operation object: reason; hint`. */
export interface ErrorParts {
  readonly code: ErrorCode;
  /** What was being done, as a verb phrase: "create bridge". */
  readonly operation: string;
  /** What it was done to: "cni0". Empty where there is no object. */
  readonly object?: string;
  /** What went wrong. */
  readonly reason: string;
  /** What the reader can do about it. */
  readonly hint?: string;
  /** Machine-readable facts (numbers of a refusal, errno, …); JSON values only. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class FairleadError extends Error {
  readonly code: ErrorCode;
  readonly operation: string;
  readonly object: string;
  readonly reason: string;
  readonly hint: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(parts: ErrorParts) {
    super(errorMessage(parts), parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = "FairleadError";
    this.code = parts.code;
    this.operation = parts.operation;
    this.object = parts.object ?? "";
    this.reason = parts.reason;
    this.hint = parts.hint ?? "";
    this.details = parts.details ?? {};
  }

  get row(): ErrorRow {
    return ERROR_TABLE[this.code];
  }
}

function errorMessage({ operation, object, reason, hint }: ErrorParts): string {
  const subject = object ? `${operation} ${object}` : operation;
  return hint ? `${subject}: ${reason}; ${hint}` : `${subject}: ${reason}`;
}

/** JSON form of an error, the body of every HTTP error answer: `{"error": {…}}`. */
export interface ErrorJson {
  readonly code: ErrorCode;
  readonly operation: string;
  readonly object: string;
  readonly reason: string;
  readonly hint: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export function errorToJson(error: FairleadError): ErrorJson {
  const { code, operation, object, reason, hint, details } = error;
  return { code, operation, object, reason, hint, details };
}

/**
 * Rebuilds an error that came over a wire. Anything that is not an {@link ErrorJson} becomes an
 * `internal` error that quotes what came.
 */
export function errorFromJson(value: unknown): FairleadError {
  const json = value as Partial<ErrorJson> | null;
  if (
    json === null ||
    typeof json !== "object" ||
    typeof json.code !== "string" ||
    !(json.code in ERROR_TABLE)
  ) {
    const quoted = JSON.stringify(value)?.slice(0, 200);
    return new FairleadError({
      code: "internal",
      operation: "read error",
      reason: `not an error object: ${quoted}`,
    });
  }
  return new FairleadError({
    code: json.code as ErrorCode,
    operation: String(json.operation ?? ""),
    object: String(json.object ?? ""),
    reason: String(json.reason ?? ""),
    hint: String(json.hint ?? ""),
    details: json.details ?? {},
  });
}

/** Wraps anything thrown into a {@link FairleadError}; one that is already ours passes unchanged. */
export function asFairleadError(thrown: unknown, operation: string, object?: string): FairleadError {
  if (thrown instanceof FairleadError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new FairleadError({ code: "internal", operation, ...(object && { object }), reason, cause: thrown });
}

/** One error out of many: the only one as it is, several as `multiple` with every message in the reason. */
export function combineErrors(operation: string, object: string, errors: readonly unknown[]): FairleadError {
  const all = errors.map((e) => asFairleadError(e, operation, object));
  const [first] = all;
  if (all.length === 1 && first) return first;
  const reason = all.map((e) => e.message).join(" | ");
  return new FairleadError({
    code: "multiple",
    operation,
    object,
    reason,
    details: { errors: all.map(errorToJson) },
    cause: new AggregateError(all),
  });
}

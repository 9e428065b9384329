/**
 * Errors over gRPC: the status of the error table, and the whole error in the trailer
 * `grpc-status-details-bin`, where every gRPC library looks for it.
 *
 * Source: google/rpc/status.proto; gRPC "Richer error model" (grpc.io/docs/guides/error).
 */
import { Metadata, type ServiceError, status as StatusCode, type StatusObject } from "@grpc/grpc-js";
import { type ErrorCode, errorFromJson, errorToJson, FairleadError } from "../errors.ts";
import { ErrorDetail } from "./generated/fairlead/v1/ipam.ts";
import { Status } from "./generated/google/rpc/status.ts";

const DETAILS_KEY = "grpc-status-details-bin";
const DETAIL_TYPE = "type.googleapis.com/fairlead.v1.ErrorDetail";
/** Servers and proxies refuse header lists of 8 KiB and more; this leaves room for the others. */
const MAX_DETAIL_BYTES = 6_000;

/** What a failed call answers with. */
export function statusOf(error: FairleadError): StatusObject {
  const code = StatusCode[error.row.grpc as keyof typeof StatusCode];
  const { details, ...json } = errorToJson(error);
  const whole = encodeStatus(code, error.message, { ...json, details });
  const metadata = new Metadata();
  const fits = whole.length <= MAX_DETAIL_BYTES;
  metadata.set(DETAILS_KEY, fits ? whole : encodeStatus(code, "", { ...shorten(json), details: {} }));
  return { code, details: error.message.slice(0, MAX_DETAIL_BYTES), metadata };
}

function shorten<T extends Readonly<Record<string, string>>>(json: T): T {
  const entries = Object.entries(json).map(([key, value]) => [key, value.slice(0, 1_000)]);
  return Object.fromEntries(entries) as T;
}

function encodeStatus(code: number, message: string, detail: ErrorDetail): Buffer {
  const value = Buffer.from(ErrorDetail.encode(detail).finish());
  return Buffer.from(Status.encode({ code, message, details: [{ typeUrl: DETAIL_TYPE, value }] }).finish());
}

/** The error that a failed call stands for: the server's own where it sent one, else one for the connection. */
export function errorOfCall(thrown: unknown, operation: string, target: string): FairleadError {
  if (thrown instanceof FairleadError) return thrown;
  const failure = thrown as Partial<ServiceError>;
  const detail = readDetail(failure.metadata);
  if (detail) return errorFromJson({ ...detail, details: detail.details ?? {} });
  const code = CONNECTION_ERRORS[failure.code ?? StatusCode.UNKNOWN] ?? "internal";
  return new FairleadError({
    code,
    operation,
    object: target,
    reason: failure.details ?? String(thrown),
    ...(code === "unavailable" && { hint: "check that the server runs and listens for gRPC there" }),
    cause: thrown,
  });
}

/** What the library itself reports, without a word of the server. */
const CONNECTION_ERRORS: Readonly<Record<number, ErrorCode>> = {
  [StatusCode.UNAVAILABLE]: "unavailable",
  [StatusCode.DEADLINE_EXCEEDED]: "timeout",
  [StatusCode.UNAUTHENTICATED]: "unauthenticated",
  [StatusCode.PERMISSION_DENIED]: "permission-denied",
  [StatusCode.INVALID_ARGUMENT]: "invalid-config",
  [StatusCode.UNIMPLEMENTED]: "unsupported-field",
};

function readDetail(metadata: Metadata | undefined): ErrorDetail | null {
  const [bytes] = metadata?.get(DETAILS_KEY) ?? [];
  if (!Buffer.isBuffer(bytes)) return null;
  const detail = Status.decode(bytes).details.find(({ typeUrl }) => typeUrl === DETAIL_TYPE);
  return detail ? ErrorDetail.decode(detail.value) : null;
}

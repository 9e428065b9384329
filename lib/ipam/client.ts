/**
 * The IPAM service as a CNI plugin calls it: synchronous, one connection per call, plain JSON.
 *
 * How bytes travel is passed in ({@link Exchange}), so that this module needs neither socket nor file.
 */
import { errorFromJson } from "../errors.ts";
import { parseJsonAnswer } from "../json-answer.ts";
import type {
  AcquireRequest,
  AcquireResponse,
  GcRequest,
  GcResponse,
  Lease,
  NetworkStatus,
  NetworkStatusRequest,
  QuarantineRequest,
  ReleaseRequest,
  ReleaseResponse,
  VerifyRequest,
} from "./api.ts";
import { encodeRequest, parseResponse } from "./http-message.ts";

/**
 * Sends `request` over a fresh connection, and returns the function that waits for the whole answer. A request that is repeatable
 * may be sent again when its answer is lost.
 * @throws FairleadError (either part) `unavailable` when nobody listens, `timeout` when no whole answer came in time.
 */
export type BeginExchange = (request: Uint8Array, isRepeatable: boolean) => () => Uint8Array;

/** A subset of `IpamService` (api.ts), call by call the same, without promises and without a caller. */
export class IpamClient {
  readonly #beginExchange: BeginExchange;

  constructor(beginExchange: BeginExchange) {
    this.#beginExchange = beginExchange;
  }

  /** Sends the request; the function returned waits for the answer, and is to be called once. */
  beginAcquire(request: AcquireRequest): () => AcquireResponse {
    const answer = this.#begin("/v1/attachments/acquire", request, request.attempt !== undefined);
    return () => answer() as AcquireResponse;
  }

  /** @param isRepeatable only where nobody acquires for the key meanwhile. */
  release(request: ReleaseRequest, isRepeatable = false): ReleaseResponse {
    return this.#post("/v1/attachments/release", request, isRepeatable) as ReleaseResponse;
  }

  verify(request: VerifyRequest): void {
    this.#post("/v1/attachments/verify", request, true);
  }

  gc(request: GcRequest): GcResponse {
    return this.#post("/v1/attachments/gc", request) as GcResponse;
  }

  networkStatus(request: NetworkStatusRequest): NetworkStatus {
    return this.#post("/v1/networks/status", request) as NetworkStatus;
  }

  /** What the container holds, and what it held of late: addresses that cool down say whose they were. */
  leasesOf(containerId: string): readonly Lease[] {
    const path = `/v1/leases?containerId=${encodeURIComponent(containerId)}`;
    const answer = readAnswer(this.#beginExchange(encodeRequest("GET", path), false)());
    return (answer as { readonly leases: readonly Lease[] }).leases;
  }

  /** Keeps an address out of use; its holder keeps it until it is given back. */
  quarantine({ address, ...body }: QuarantineRequest): void {
    this.#post(`/v1/addresses/${encodeURIComponent(address)}/quarantine`, body, true);
  }

  #post(path: string, body: unknown, isRepeatable = false): unknown {
    return this.#begin(path, body, isRepeatable)();
  }

  #begin(path: string, body: unknown, isRepeatable = false): () => unknown {
    const receive = this.#beginExchange(encodeRequest("POST", path, body), isRepeatable);
    return () => readAnswer(receive());
  }
}

function readAnswer(bytes: Uint8Array): unknown {
  const response = parseResponse(bytes);
  const value =
    response.body === ""
      ? null
      : parseJsonAnswer(response.body, "the IPAM service", "check that the socket is Fairlead's");
  if (response.status >= 200 && response.status < 300) return value;
  throw errorFromJson((value as { error?: unknown } | null)?.error ?? response.body);
}

/**
 * The IPAM service as a CNI plugin calls it: synchronous, one connection per call, plain JSON.
 *
 * How bytes travel is passed in ({@link Exchange}), so that this module needs neither socket nor file.
 */
import { errorFromJson, FairleadError } from "../errors.ts";
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
import { explained, unknownField, withoutUnknown } from "./older-service.ts";
import {
  type AnswerOf,
  answerFrom,
  layOutRequest,
  OPERATIONS,
  type OperationName,
  type RequestOf,
} from "./operations.ts";

/**
 * Sends `request` over a fresh connection, and returns the function that waits for the whole answer. A request that is repeatable
 * may be sent again when its answer is lost.
 * @throws FairleadError (either part) `unavailable` when nobody listens, `timeout` when no whole answer came in time.
 */
export type BeginExchange = (request: Uint8Array, isRepeatable: boolean) => () => Uint8Array;

interface Asked<N extends OperationName> {
  readonly name: N;
  readonly request: RequestOf<N>;
  readonly isRepeatable: boolean;
}

/** A subset of `IpamService` (api.ts), call by call the same, without promises and without a caller. */
export class IpamClient {
  readonly #beginExchange: BeginExchange;
  readonly #onOlder: (field: string) => void;

  /** @param onOlder told of a field that the service, which is older, does not know, and that is left out. */
  constructor(beginExchange: BeginExchange, onOlder: (field: string) => void = () => {}) {
    this.#beginExchange = beginExchange;
    this.#onOlder = onOlder;
  }

  /** Sends the request; the function returned waits for the answer, and is to be called once. */
  beginAcquire(request: AcquireRequest): () => AcquireResponse {
    return this.#begin({ name: "acquire", request, isRepeatable: request.attempt !== undefined });
  }

  /** @param isRepeatable only where nobody acquires for the key meanwhile. */
  release(request: ReleaseRequest, isRepeatable = false): ReleaseResponse {
    return this.#begin({ name: "release", request, isRepeatable })();
  }

  verify(request: VerifyRequest): void {
    this.#begin({ name: "verify", request, isRepeatable: true })();
  }

  gc(request: GcRequest): GcResponse {
    return this.#begin({ name: "gc", request, isRepeatable: false })();
  }

  networkStatus(request: NetworkStatusRequest): NetworkStatus {
    return this.#begin({ name: "networkStatus", request, isRepeatable: false })();
  }

  /** What the container holds, and what it held of late: addresses that cool down say whose they were. */
  leasesOf(containerId: string): readonly Lease[] {
    return this.#begin({ name: "listLeases", request: { containerId }, isRepeatable: false })();
  }

  /** Keeps an address out of use; its holder keeps it until it is given back. */
  quarantine(request: QuarantineRequest): void {
    this.#begin({ name: "quarantine", request, isRepeatable: true })();
  }

  /** The function returned waits for the answer. */
  #begin<N extends OperationName>(asked: Asked<N>): () => AnswerOf<N> {
    const parts = layOutRequest(OPERATIONS[asked.name], asked.request);
    const receive = this.#beginExchange(encodeRequest(parts), asked.isRepeatable);
    return () => this.#answer(asked, receive);
  }

  /** Asks again without what an older service does not know: each time one field less. */
  #answer<N extends OperationName>(asked: Asked<N>, receive: () => Uint8Array): AnswerOf<N> {
    try {
      return answerFrom(asked.name, readAnswer(receive()));
    } catch (thrown) {
      if (!(thrown instanceof FairleadError)) throw thrown;
      const request = withoutUnknown(asked, thrown);
      if (request === null) throw explained(thrown);
      this.#onOlder(unknownField(thrown) ?? "");
      return this.#begin({ ...asked, request: request as RequestOf<N> })();
    }
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

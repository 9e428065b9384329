/** The operations as gRPC methods: messages in, checked by the schema table, messages out. */
import type { handleServerStreamingCall, handleUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { asFairleadError, type FairleadError } from "../../lib/errors.ts";
import type { Caller, IpamService } from "../../lib/ipam/api.ts";
import type { Logger } from "../../lib/log.ts";
import type { Codec } from "../../lib/rpc/codec.ts";
import type { IpamServiceServer } from "../../lib/rpc/generated/fairlead/v1/ipam.ts";
import { statusOf } from "../../lib/rpc/grpc-status.ts";
import * as messages from "../../lib/rpc/messages.ts";
import { OPERATIONS } from "../../lib/rpc/operations.ts";
import { followEvents } from "../event-feed.ts";
import type { Metrics } from "../metrics.ts";
import { OPERATION_CALLS, type OperationTypes, type UnaryOperation } from "../operation-calls.ts";
import type { Validators } from "../schema/validation.ts";

/** Items of a list in one message: some 100 KiB, far below the 4 MiB that clients accept. */
const ITEMS_PER_MESSAGE = 500;

export interface HandlerOptions {
  readonly service: IpamService;
  readonly validators: Validators;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly caller: Caller;
  /** Ends all event streams. */
  readonly signal: AbortSignal;
}

type Request<N extends UnaryOperation> = OperationTypes[N]["request"];
type Answer<N extends UnaryOperation> = OperationTypes[N]["answer"];

type Outcome<N extends UnaryOperation> = { readonly answer: Answer<N> } | { readonly error: FairleadError };

/** Makes a gRPC method of an operation: one that answers once, or one that answers with a list in parts. */
class Methods {
  readonly #options: HandlerOptions;

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  unary<N extends UnaryOperation, P, Q>(
    name: N,
    request: Codec<Request<N>, P>,
    reply: Codec<Answer<N>, Q>,
  ): handleUnaryCall<P, Q> {
    const answer = this.#answerer(name, request);
    return async (call, callback) => {
      const outcome = await answer(call.request);
      if ("error" in outcome) callback(statusOf(outcome.error));
      else callback(null, reply.encode(outcome.answer));
    };
  }

  list<N extends UnaryOperation, P, Item, Q>(
    name: N & (Answer<N> extends readonly Item[] ? N : never),
    request: Codec<Request<N>, P>,
    reply: Codec<readonly Item[], Q>,
  ): handleServerStreamingCall<P, Q> {
    const answer = this.#answerer(name, request);
    return async (call) => {
      const outcome = await answer(call.request);
      if ("error" in outcome) call.emit("error", statusOf(outcome.error));
      else await writeList(call, outcome.answer as readonly unknown[] as readonly Item[], reply);
    };
  }

  /** Decodes, checks and calls; counts and times the outcome. The result never rejects. */
  #answerer<N extends UnaryOperation, P>(name: N, codec: Codec<Request<N>, P>) {
    const { service, validators, caller, metrics } = this.#options;
    const count = metrics.requestOutcome("grpc", name);
    const { schema, call } = OPERATION_CALLS[name];
    const { title } = OPERATIONS[name];
    return async (message: P): Promise<Outcome<N>> => {
      const begun = performance.now();
      try {
        const request = codec.decode(message);
        if (schema) validators.assertValid(schema, request, title);
        const answer = await call(service, request, caller);
        count("OK", (performance.now() - begun) / 1000);
        return { answer };
      } catch (thrown) {
        const error = this.#explain(thrown, title);
        count(error.row.grpc, (performance.now() - begun) / 1000);
        return { error };
      }
    };
  }

  #explain(thrown: unknown, title: string): FairleadError {
    const error = asFairleadError(thrown, title);
    if (error.code === "internal")
      this.#options.logger.error({ err: thrown, operation: title }, "request failed");
    return error;
  }
}

export function ipamHandlers(options: HandlerOptions): IpamServiceServer {
  const methods = new Methods(options);
  return {
    acquire: methods.unary("acquire", messages.acquireRequest, messages.acquireResponse),
    release: methods.unary("release", messages.releaseRequest, messages.releaseResponse),
    verify: methods.unary("verify", messages.verifyRequest, messages.nothing),
    gc: methods.unary("gc", messages.gcRequest, messages.gcResponse),
    getNetworkStatus: methods.unary("networkStatus", messages.networkStatusRequest, messages.networkStatus),
    createNetwork: methods.unary("createNetwork", messages.createNetworkRequest, messages.networkAnswer),
    listNetworks: methods.unary("listNetworks", messages.emptyRequest, messages.networksAnswer),
    getNetwork: methods.unary("getNetwork", messages.networkRef, messages.networkAnswer),
    removeNetwork: methods.unary("removeNetwork", messages.networkRef, messages.nothing),
    listLeases: methods.list("listLeases", messages.leaseFilter, messages.leasesAnswer),
    listEndpoints: methods.list("listEndpoints", messages.endpointFilter, messages.endpointsAnswer),
    reserve: methods.unary("reserve", messages.reservationRequest, messages.leaseAnswer),
    unreserve: methods.unary("unreserve", messages.unreserveRequest, messages.nothing),
    quarantine: methods.unary("quarantine", messages.quarantineRequest, messages.nothing),
    unquarantine: methods.unary("unquarantine", messages.unquarantineRequest, messages.nothing),
    listEvents: methods.list("listEvents", messages.eventFilter, messages.eventsAnswer),
    watchEvents: watch(options),
    whoHad: methods.unary("whoHad", messages.tenancyFilter, messages.tenanciesAnswer),
    checkConsistency: methods.unary("checkConsistency", messages.emptyRequest, messages.consistencyReport),
    recover: methods.unary("recover", messages.recoverRequest, messages.recoverAnswer),
    getInfo: methods.unary("info", messages.emptyRequest, messages.serviceInfo),
  };
}

async function writeList<P, Item, Q>(
  call: ServerWritableStream<P, Q>,
  items: readonly Item[],
  reply: Codec<readonly Item[], Q>,
): Promise<void> {
  for (let at = 0; at < items.length && !call.cancelled; at += ITEMS_PER_MESSAGE) {
    if (!call.write(reply.encode(items.slice(at, at + ITEMS_PER_MESSAGE)))) await drained(call);
  }
  call.end();
}

/** Resolves when there is room again, or nobody is left to write to. */
function drained<P, Q>(call: ServerWritableStream<P, Q>): Promise<void> {
  return new Promise((resolve) => {
    if (call.cancelled) return resolve();
    call.once("drain", resolve);
    call.once("cancelled", resolve);
  });
}

function watch({ service, validators, logger, signal }: HandlerOptions): IpamServiceServer["watchEvents"] {
  return async (call) => {
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort());
    call.on("error", () => gone.abort());
    try {
      const request = messages.watchRequest.decode(call.request);
      validators.assertValid("WatchRequest", request, "watch events");
      const { since: revision = (await service.info()).revision, logId } = request;
      const since = { revision, ...(logId !== undefined && { logId }) };
      for await (const events of followEvents({
        service,
        since,
        signal: AbortSignal.any([gone.signal, signal]),
      })) {
        let room = true;
        for (const event of events) room = call.write({ event: messages.event.encode(event) });
        if (!room) await drained(call);
      }
      call.end();
    } catch (thrown) {
      const error = asFairleadError(thrown, "watch events");
      if (error.code === "internal") logger.error({ err: thrown }, "event stream failed");
      call.emit("error", statusOf(error));
    }
  };
}

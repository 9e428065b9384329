/** The operations as gRPC methods: messages in, checked by the schema table, messages out. */
import type { handleServerStreamingCall, handleUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import type { FairleadError } from "../../../lib/errors.ts";
import type { Caller, IpamService } from "../../../lib/ipam/api.ts";
import {
  OPERATION_ROWS,
  OPERATIONS,
  type OperationName,
  WATCH_EVENTS,
} from "../../../lib/ipam/operations.ts";
import type { Logger } from "../../../lib/log.ts";
import type { IpamServiceServer } from "../../../lib/rpc/generated/fairlead/v1/ipam.ts";
import { statusOf } from "../../../lib/rpc/grpc-status.ts";
import type { Codec } from "../../../lib/rpc/messages/codec.ts";
import * as history from "../../../lib/rpc/messages/history.ts";
import { grpcMethodOf } from "../../../lib/rpc/operation-codecs.ts";
import { type Call, callInPieces, callOperation } from "../call.ts";
import { followEvents } from "../event-feed.ts";
import { refusalOf } from "../faults.ts";
import type { Metrics } from "../metrics.ts";
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

/** Makes the gRPC methods of the operations: of each one that answers once, or one that answers with a list in parts. */
class Methods {
  readonly #options: HandlerOptions;

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  of(name: OperationName): handleUnaryCall<object, object> | handleServerStreamingCall<object, object> {
    return grpcMethodOf(name).definition.responseStream ? this.#list(name) : this.#unary(name);
  }

  #unary(name: OperationName): handleUnaryCall<object, object> {
    const { request, answer } = grpcMethodOf(name);
    const carryOut = this.#counting(name);
    return async (call, callback) => {
      let message: object | undefined;
      const refusal = await carryOut(async () => {
        const asked = this.#checked(name, request.decode(call.request));
        message = answer.encode(await callOperation(this.#options.service, asked));
      });
      if (refusal === null) callback(null, message);
      else callback(statusOf(refusal));
    };
  }

  #list(name: OperationName): handleServerStreamingCall<object, object> {
    const { request, answer } = grpcMethodOf(name);
    const carryOut = this.#counting(name);
    return async (call) => {
      const refusal = await carryOut(async () => {
        const asked = this.#checked(name, request.decode(call.request));
        await writeList(call, callInPieces(this.#options.service, asked), answer);
      });
      if (refusal !== null) call.emit("error", statusOf(refusal));
    };
  }

  /** Counts and times what becomes of calls. The function returned resolves with why one was refused, null when it was not. */
  #counting(name: OperationName): (action: () => Promise<void>) => Promise<FairleadError | null> {
    const count = this.#options.metrics.requestOutcome("grpc", name);
    return async (action) => {
      const begun = performance.now();
      const refusal = await action().then(
        () => null,
        (thrown: unknown) => this.#explain(thrown, name),
      );
      count(refusal?.row.grpc ?? "OK", (performance.now() - begun) / 1000);
      return refusal;
    };
  }

  /** @throws FairleadError for what the row's schema does not allow. */
  #checked(name: OperationName, request: object): Call<OperationName> {
    const { validators, caller } = this.#options;
    const { title, request: schema } = OPERATIONS[name];
    if (schema) validators.assertValid(schema, request, title);
    return { name, request, caller } as Call<OperationName>;
  }

  #explain(thrown: unknown, name: OperationName): FairleadError {
    const { title } = OPERATIONS[name];
    const error = refusalOf(thrown, title);
    if (error.code === "internal")
      this.#options.logger.error({ err: thrown, operation: title }, "request failed");
    return error;
  }
}

export function ipamHandlers(options: HandlerOptions): IpamServiceServer {
  const methods = new Methods(options);
  const handlers = OPERATION_ROWS.map(([name, { rpc }]) => [rpc, methods.of(name)]);
  return { ...Object.fromEntries(handlers), watchEvents: watch(options) };
}

async function writeList(
  call: ServerWritableStream<object, object>,
  pieces: AsyncIterable<readonly unknown[]>,
  answer: Codec<unknown, object>,
): Promise<void> {
  for await (const items of pieces) {
    for (let at = 0; at < items.length; at += ITEMS_PER_MESSAGE) {
      if (call.cancelled) return;
      if (!call.write(answer.encode(items.slice(at, at + ITEMS_PER_MESSAGE)))) await drained(call);
    }
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
      const request = history.watchRequest.decode(call.request);
      validators.assertValid("WatchRequest", request, "watch events");
      const { since: revision = (await service.info()).revision, logId } = request;
      const since = { revision, ...(logId !== undefined && { logId }) };
      for await (const events of followEvents({
        service,
        since,
        signal: AbortSignal.any([gone.signal, signal]),
      })) {
        let room = true;
        for (const event of events) room = call.write({ event: history.event.encode(event) });
        if (!room) await drained(call);
      }
      call.end();
    } catch (thrown) {
      const error = refusalOf(thrown, WATCH_EVENTS.title);
      if (error.code === "internal") logger.error({ err: thrown }, "event stream failed");
      call.emit("error", statusOf(error));
    }
  };
}

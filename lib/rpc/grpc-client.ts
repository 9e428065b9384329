/** The IPAM service over gRPC: one long-lived channel, the same values and errors as in process. */
import {
  type CallOptions,
  ChannelCredentials,
  type ClientReadableStream,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import type { FairleadError } from "../errors.ts";
import type { IpamService } from "../ipam/api.ts";
import { OPERATIONS, type Operation, type OperationName, WATCH_EVENTS } from "../ipam/operations.ts";
import { clientMethods } from "./client-methods.ts";
import { IpamServiceClient } from "./generated/fairlead/v1/ipam.ts";
import { errorOfCall } from "./grpc-status.ts";
import * as history from "./messages/history.ts";
import { grpcMethodOf } from "./operation-codecs.ts";
import { joinPieces } from "./pieces.ts";
import { TimeLimit } from "./time-limit.ts";
import { watchEvents } from "./watch.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
/** A busy server may take seconds to answer a ping: shorter limits drop healthy connections. */
const KEEPALIVE_MS = 20_000;
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

export interface GrpcClientOptions {
  /** `host:port`, or `unix:/path`. */
  readonly target: string;
  /** Token of the server; a unix socket needs none. */
  readonly token?: string;
  /** For each call but a watch, and for each piece of a list. Default: 30,000. */
  readonly timeoutMs?: number;
  /** Told when a watch cannot go on: its place in the log is gone, or the server refuses it. */
  readonly onWatchEnd?: (error: FairleadError) => void;
}

/** The service and the end of its channel. The `caller` of each call is what the server says it is. */
export type GrpcIpamClient = IpamService & { close(): void };

class Channel {
  readonly stub: IpamServiceClient;
  readonly #options: GrpcClientOptions;
  readonly #metadata = new Metadata();

  constructor(options: GrpcClientOptions) {
    this.#options = options;
    if (options.token !== undefined) this.#metadata.set("authorization", `Bearer ${options.token}`);
    this.stub = new IpamServiceClient(options.target, ChannelCredentials.createInsecure(), {
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
      "grpc.keepalive_time_ms": KEEPALIVE_MS,
      "grpc.keepalive_timeout_ms": KEEPALIVE_MS,
    });
  }

  /** Calls a method that answers once. */
  unary(name: OperationName, value: object): Promise<unknown> {
    const { definition, request, answer } = grpcMethodOf(name);
    const { path, requestSerialize, responseDeserialize } = definition;
    return new Promise((resolve, reject) => {
      const message = request.encode(value);
      const take = (error: ServiceError | null, response?: object): void => {
        if (error || response === undefined) reject(this.#explain(error, OPERATIONS[name]));
        else resolve(answer.decode(response));
      };
      const [metadata, options] = [this.#metadata, this.#deadline()];
      this.stub.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        message,
        metadata,
        options,
        take,
      );
    });
  }

  /** Calls a method that answers with a list in several messages, each a piece. */
  async *stream(name: OperationName, value: object): AsyncGenerator<readonly unknown[]> {
    const { definition, request, answer } = grpcMethodOf(name);
    const { path, requestSerialize, responseDeserialize } = definition;
    const message = request.encode(value);
    const call = this.stub.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      this.#metadata,
      {},
    );
    // Of a call that was given up: nobody waits for its end any more.
    call.on("error", () => {});
    const limit = new TimeLimit(this.#limitMs, () => call.cancel());
    try {
      for await (const piece of limit.each(call as AsyncIterable<object>))
        yield answer.decode(piece) as readonly unknown[];
    } catch (error) {
      throw this.#explain(limit.isExpired ? noAnswer(this.#limitMs) : error, OPERATIONS[name]);
    } finally {
      call.cancel();
    }
  }

  watch: IpamService["watchEvents"] = (since, onEvent) =>
    watchEvents({
      since,
      onEvent,
      onEnd: this.#options.onWatchEnd ?? (() => {}),
      open: (from, take, signal) => {
        const call = this.stub.watchEvents(
          history.watchRequest.encode({ ...from, since: from.revision }),
          this.#metadata,
        );
        signal.addEventListener("abort", () => call.cancel(), { once: true });
        return this.#read(call, ({ event }) => take(history.eventField.decode(event)));
      },
    });

  /** Resolves when the stream has ended, rejects when it has failed or `take` does. */
  #read<Q>(call: ClientReadableStream<Q>, take: (message: Q) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      call.on("data", (message: Q) => {
        try {
          take(message);
        } catch (thrown) {
          call.cancel();
          reject(thrown);
        }
      });
      call.on("error", (error) => reject(this.#explain(error, WATCH_EVENTS)));
      call.on("end", resolve);
    });
  }

  get #limitMs(): number {
    return this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  #deadline(): Partial<CallOptions> {
    return { deadline: Date.now() + this.#limitMs };
  }

  #explain(error: unknown, { title }: Operation): FairleadError {
    return errorOfCall(error, title, this.#options.target);
  }
}

/** What a call that has a deadline fails with. */
function noAnswer(limitMs: number): Partial<ServiceError> {
  return { code: status.DEADLINE_EXCEEDED, details: `no piece within ${limitMs} ms` };
}

/** Makes a client. Connects with its first call, and again whenever the connection is gone. */
export function createGrpcClient(options: GrpcClientOptions): GrpcIpamClient {
  const channel = new Channel(options);
  const isStreamed = (name: OperationName): boolean => grpcMethodOf(name).definition.responseStream;
  const ask = (name: OperationName, request: object): Promise<unknown> =>
    isStreamed(name) ? joinPieces(channel.stream(name, request)) : channel.unary(name, request);
  const whole = async function* (name: OperationName, request: object): AsyncGenerator<readonly unknown[]> {
    yield (await ask(name, request)) as readonly unknown[];
  };
  const pieces = (name: OperationName, request: object): AsyncIterable<readonly unknown[]> =>
    isStreamed(name) ? channel.stream(name, request) : whole(name, request);
  return {
    ...clientMethods({ ask, pieces }),
    watchEvents: channel.watch,
    close: () => channel.stub.close(),
  };
}

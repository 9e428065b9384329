/** The IPAM service over gRPC: one long-lived channel, the same values and errors as in process. */
import {
  type CallOptions,
  ChannelCredentials,
  type ClientReadableStream,
  type ClientUnaryCall,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import type { FairleadError } from "../errors.ts";
import type { IpamService } from "../ipam/api.ts";
import type { Codec } from "./codec.ts";
import { IpamServiceClient } from "./generated/fairlead/v1/ipam.ts";
import { errorOfCall } from "./grpc-status.ts";
import * as messages from "./messages.ts";
import { OPERATIONS, type OperationName } from "./operations.ts";
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
  /** For each call but a watch. Default: 30,000. */
  readonly timeoutMs?: number;
  /** Told when a watch cannot go on: its place in the log is gone, or the server refuses it. */
  readonly onWatchEnd?: (error: FairleadError) => void;
}

/** The service and the end of its channel. The `caller` of each call is what the server says it is. */
export type GrpcIpamClient = IpamService & { close(): void };

type UnaryMethod<P, Q> = (
  request: P,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Q) => void,
) => ClientUnaryCall;

type StreamMethod<P, Q> = (
  request: P,
  metadata: Metadata,
  options: Partial<CallOptions>,
) => ClientReadableStream<Q>;

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

  /** A function that calls one unary method. */
  unary<A, P, B, Q>(
    name: OperationName,
    method: UnaryMethod<P, Q>,
    request: Codec<A, P>,
    reply: Codec<B, Q>,
  ) {
    const bound = method.bind(this.stub);
    return (value: A): Promise<B> =>
      new Promise((resolve, reject) => {
        bound(request.encode(value), this.#metadata, this.#deadline(), (error, response) => {
          if (error) reject(this.#explain(error, name));
          else resolve(reply.decode(response));
        });
      });
  }

  /** A function that calls a method which answers with a list in several messages, and puts it together. */
  list<A, P, Item, Q>(
    name: OperationName,
    method: StreamMethod<P, Q>,
    request: Codec<A, P>,
    reply: Codec<readonly Item[], Q>,
  ) {
    const bound = method.bind(this.stub);
    return async (value: A): Promise<readonly Item[]> => {
      const items: Item[] = [];
      const call = bound(request.encode(value), this.#metadata, this.#deadline());
      await this.#read(call, name, (message) => items.push(...reply.decode(message)));
      return items;
    };
  }

  watch: IpamService["watchEvents"] = (since, onEvent) =>
    watchEvents({
      since,
      onEvent,
      onEnd: this.#options.onWatchEnd ?? (() => {}),
      open: (from, take, signal) => {
        const call = this.stub.watchEvents(
          messages.watchRequest.encode({ ...from, since: from.revision }),
          this.#metadata,
        );
        signal.addEventListener("abort", () => call.cancel(), { once: true });
        return this.#read(call, "watchEvents", ({ event }) => take(messages.eventField.decode(event)));
      },
    });

  /** Resolves when the stream has ended, rejects when it has failed or `take` does. */
  #read<Q>(call: ClientReadableStream<Q>, name: OperationName, take: (message: Q) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      call.on("data", (message: Q) => {
        try {
          take(message);
        } catch (thrown) {
          call.cancel();
          reject(thrown);
        }
      });
      call.on("error", (error) => reject(this.#explain(error, name)));
      call.on("end", resolve);
    });
  }

  #deadline(): Partial<CallOptions> {
    return { deadline: Date.now() + (this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS) };
  }

  #explain(error: unknown, name: OperationName): FairleadError {
    return errorOfCall(error, OPERATIONS[name].title, this.#options.target);
  }
}

/** Makes a client. Connects with its first call, and again whenever the connection is gone. */
export function createGrpcClient(options: GrpcClientOptions): GrpcIpamClient {
  const channel = new Channel(options);
  const { stub } = channel;
  const m = messages;
  const getNetwork = channel.unary("getNetwork", stub.getNetwork, m.networkRef, m.networkAnswer);
  const removeNetwork = channel.unary("removeNetwork", stub.removeNetwork, m.networkRef, m.nothing);
  const unreserve = channel.unary("unreserve", stub.unreserve, m.unreserveRequest, m.nothing);
  const unquarantine = channel.unary("unquarantine", stub.unquarantine, m.unquarantineRequest, m.nothing);
  const listNetworks = channel.unary("listNetworks", stub.listNetworks, m.emptyRequest, m.networksAnswer);
  const check = channel.unary("checkConsistency", stub.checkConsistency, m.emptyRequest, m.consistencyReport);
  const info = channel.unary("info", stub.getInfo, m.emptyRequest, m.serviceInfo);
  return {
    acquire: channel.unary("acquire", stub.acquire, m.acquireRequest, m.acquireResponse),
    release: channel.unary("release", stub.release, m.releaseRequest, m.releaseResponse),
    verify: channel.unary("verify", stub.verify, m.verifyRequest, m.nothing),
    gc: channel.unary("gc", stub.gc, m.gcRequest, m.gcResponse),
    networkStatus: channel.unary(
      "networkStatus",
      stub.getNetworkStatus,
      m.networkStatusRequest,
      m.networkStatus,
    ),
    createNetwork: channel.unary(
      "createNetwork",
      stub.createNetwork,
      m.createNetworkRequest,
      m.networkAnswer,
    ),
    listNetworks: () => listNetworks({}),
    getNetwork: (name) => getNetwork({ name }),
    removeNetwork: (name) => removeNetwork({ name }),
    listLeases: channel.list("listLeases", stub.listLeases, m.leaseFilter, m.leasesAnswer),
    listEndpoints: channel.list("listEndpoints", stub.listEndpoints, m.endpointFilter, m.endpointsAnswer),
    reserve: channel.unary("reserve", stub.reserve, m.reservationRequest, m.leaseAnswer),
    unreserve: (networkName, address) => unreserve({ networkName, address }),
    quarantine: channel.unary("quarantine", stub.quarantine, m.quarantineRequest, m.nothing),
    unquarantine: (address, addressSpace) =>
      unquarantine({ address, ...(addressSpace !== undefined && { addressSpace }) }),
    listEvents: channel.list("listEvents", stub.listEvents, m.eventFilter, m.eventsAnswer),
    watchEvents: channel.watch,
    whoHad: channel.unary("whoHad", stub.whoHad, m.tenancyFilter, m.tenanciesAnswer),
    checkConsistency: () => check({}),
    recover: channel.unary("recover", stub.recover, m.recoverRequest, m.recoverAnswer),
    info: () => info({}),
    close: () => stub.close(),
  };
}

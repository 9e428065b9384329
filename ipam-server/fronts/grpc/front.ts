/**
 * The gRPC front of the service, with health and reflection, on loopback TCP or a unix socket.
 *
 * On TCP every call of every service, health and reflection too, must carry the server's token. There is no
 * TLS yet, so only loopback addresses are taken (the configuration sees to that).
 */
import { createServer, type Socket, type Server as TcpServer } from "node:net";
import {
  ResponderBuilder,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  setLogger,
} from "@grpc/grpc-js";
import { FairleadError } from "../../../lib/errors.ts";
import { IpamServiceService } from "../../../lib/rpc/generated/fairlead/v1/ipam.ts";
import { HealthService } from "../../../lib/rpc/generated/grpc/health/v1/health.ts";
import { ServerReflectionService } from "../../../lib/rpc/generated/grpc/reflection/v1/reflection.ts";
import { statusOf } from "../../../lib/rpc/grpc-status.ts";
import { type ConnectionLimits, connectionLimits, peerOf, TcpConnections } from "../tcp-connections.ts";
import { type Token, unauthenticatedError } from "../token.ts";
import { type HandlerOptions, ipamHandlers } from "./handlers.ts";
import { healthHandlers } from "./health.ts";
import { reflectionHandlers, ServerReflectionV1AlphaService } from "./reflection.ts";

const IPAM_SERVICE = "fairlead.v1.IpamService";
const SERVICES = [
  IPAM_SERVICE,
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

/** As much as the HTTP front takes for its largest request. */
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
/** A busy machine may take seconds to answer a ping: shorter limits drop healthy connections. */
const KEEPALIVE_MS = 20_000;
const MAX_STREAMS_PER_CONNECTION = 1_000;

export interface GrpcFrontOptions extends Omit<HandlerOptions, "signal"> {
  readonly isServing: () => Promise<boolean>;
  /** Demanded of every call; null where the file system guards the socket. */
  readonly token: Token | null;
  /** Default: by the descriptors that the process may have. Of fronts that demand the token. */
  readonly limits?: ConnectionLimits;
}

export interface GrpcFront {
  /**
   * Binds and serves. `target` is `host:port` or `unix:/path`. Returns the port; of a unix socket a number that says nothing.
   * @throws unavailable when it cannot be bound.
   */
  listen(target: string): Promise<number>;
  /** Stops accepting, ends event streams, lets calls under way finish. */
  close(): Promise<void>;
  /** Drops every connection. */
  abort(): void;
}

export function createGrpcFront(options: GrpcFrontOptions): GrpcFront {
  const closing = new AbortController();
  const { signal } = closing;
  const connections = new TcpConnections(options.limits ?? connectionLimits());
  captureLibraryLog(options.logger);
  const server = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_concurrent_streams": MAX_STREAMS_PER_CONNECTION,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_MS,
    interceptors: options.token ? [tokenInterceptor(options.token, connections)] : [],
  });
  server.addService(IpamServiceService, ipamHandlers({ ...options, signal }));
  server.addService(
    HealthService,
    healthHandlers({ services: [IPAM_SERVICE], isServing: options.isServing, signal }),
  );
  const reflection = reflectionHandlers(SERVICES);
  server.addService(ServerReflectionService, reflection);
  server.addService(ServerReflectionV1AlphaService, reflection);
  return {
    async listen(target) {
      if (!options.token || target.startsWith("unix:")) return listen(server, target);
      const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
      const take = (socket: Socket): void => {
        if (connections.take(socket)) injector.injectConnection(socket);
      };
      const listener = createServer(take);
      signal.addEventListener("abort", () => listener.close());
      return listenTcp(listener, target);
    },
    close() {
      closing.abort();
      return new Promise((resolve) => server.tryShutdown(() => resolve()));
    },
    abort: () => server.forceShutdown(),
  };
}

/** The library would write to the console. */
function captureLibraryLog(logger: GrpcFrontOptions["logger"]): void {
  const at = (level: "debug" | "info" | "warn") => (text: unknown) =>
    logger[level]({ library: "grpc-js" }, String(text));
  setLogger({ debug: at("debug"), info: at("info"), error: at("warn") });
}

function listen(server: Server, target: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (cause, port) => {
      if (cause) reject(cannotListen(target, cause));
      else resolve(port);
    });
  });
}

/** The library would take every connection that there is; so it gets those that we let in. */
function listenTcp(listener: TcpServer, target: string): Promise<number> {
  const at = target.lastIndexOf(":");
  const host = target.slice(0, at).replace(/^\[(.*)\]$/, "$1");
  return new Promise((resolve, reject) => {
    listener.once("error", (cause) => reject(cannotListen(target, cause)));
    listener.listen({ host, port: Number(target.slice(at + 1)) }, () => {
      const bound = listener.address();
      resolve(typeof bound === "object" && bound ? bound.port : 0);
    });
  });
}

function cannotListen(object: string, cause: Error): FairleadError {
  const hint = "choose another address in grpc.listen";
  return new FairleadError({
    code: "unavailable",
    operation: "listen for gRPC on",
    object,
    reason: cause.message,
    hint,
    cause,
  });
}

/** Ends a call without the token before its message is read. */
function tokenInterceptor(token: Token, connections: TcpConnections): ServerInterceptor {
  return (method, call) => {
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const [value] = metadata.get("authorization");
        if (!token.accepts(value?.toString()))
          return call.sendStatus(statusOf(unauthenticatedError("call", method.path)));
        connections.know(peerOfCall(call.getPeer()));
        next(metadata);
      })
      .build();
    return new ServerInterceptingCall(
      call,
      new ResponderBuilder().withStart((next) => next(listener)).build(),
    );
  };
}

/** The library says `ADDRESS:PORT`. */
function peerOfCall(peer: string): string {
  const at = peer.lastIndexOf(":");
  const [remoteAddress, remotePort] = [
    peer.slice(0, at).replace(/^\[(.*)\]$/, "$1"),
    Number(peer.slice(at + 1)),
  ];
  return peerOf({ remoteAddress, remotePort });
}

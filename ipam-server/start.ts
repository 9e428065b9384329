/** Puts the server together: store, service, replay of pending releases, fronts, in this order. */
import { mkdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../lib/clock.ts";
import { type Closers, startOrClose } from "../lib/daemon/closers.ts";
import { bindPrivately } from "../lib/daemon/unix-socket.ts";
import { FairleadError } from "../lib/errors.ts";
import type { Caller, IpamService, NetworkStatusRequest } from "../lib/ipam/api.ts";
import type { Logger } from "../lib/log.ts";
import { VERSION } from "../lib/version.ts";
import type { ServerConfig, TcpAddress, UnixAddress } from "./config.ts";
import { GroupMetrics } from "./fronts/group-metrics.ts";
import { createHttpFront, type HttpFrontOptions } from "./fronts/http/front.ts";
import { createMetrics } from "./fronts/metrics.ts";
import { createValidators } from "./fronts/schema/validation.ts";
import { openTokenFile } from "./fronts/token.ts";
import { IntentReplay } from "./intents.ts";
import { poolsOrStandard } from "./operations/standard-pools.ts";
import { openIpamService, type RunningService } from "./service.ts";
import type { ServiceOptions } from "./service-options.ts";
import { BootClock } from "./state/boot-clock.ts";
import { type BootMemory, openBootFile } from "./store/boot-memory.ts";
import { openSqliteStore } from "./store/sqlite/store.ts";

/** Plugins that may wait to be let in at once: what Linux allows by default (net.core.somaxconn). */
const SOCKET_BACKLOG = 4096;

/** Where a listener listens: `host:port` with the port that it really has, or the path of a socket. */
interface Listening {
  readonly socket: string;
  readonly http: string | null;
  readonly grpc: string | null;
}

export interface RunningServer {
  readonly service: RunningService;
  readonly listening: Listening;
  /** Settles only when the server cannot go on; it is to be closed then, and the process to end. */
  readonly failed: Promise<FairleadError>;
  /** Stops accepting, finishes what is under way, closes the store, removes the socket. Idempotent. */
  close(): Promise<void>;
}

export interface StartOptions {
  readonly config: ServerConfig;
  readonly logger: Logger;
  /** What this machine reaches by other ways: the predefined `bridge` gets no subnet that hides it. */
  readonly hostPrefixes: () => readonly string[];
}

/**
 * Starts a server. When it fails, nothing is left running and the reason is thrown.
 * @throws FairleadError: what keeps it from starting, and what to do.
 */
export function startServer(options: StartOptions): Promise<RunningServer> {
  return startOrClose((closers) => start(options, closers));
}

async function start(options: StartOptions, closers: Closers): Promise<RunningServer> {
  const { config, logger } = options;
  makeStateDir(config.stateDir);
  const failure = Promise.withResolvers<FairleadError>();
  const groups = new GroupMetrics();
  const service = await openService(options, { onFatal: failure.resolve, onGroup: groups.observe });
  closers.add(() => service.close());
  const caller = { actor: `uid:${process.getuid?.() ?? 0}`, node: config.nodeName, bootId: bootId() };
  const validators = createValidators();
  const intents = new IntentReplay({
    dir: config.intentsDir,
    service,
    validators,
    caller: { ...caller, actor: `node:${config.nodeName}` },
    logger,
    now: () => systemClock.now(),
  });
  await intents.replay();
  closers.add(() => intents.stop());
  const metrics = createMetrics(service, groups);
  const unreadyReasons = (): Promise<readonly string[]> => impediments(service, caller);
  const shared = { service, validators, metrics, logger, unreadyReasons, version: VERSION, token: null };
  const listening = await openFronts({ config, shared, caller, closers });
  intents.start();
  return { service, listening, failed: failure.promise, close: () => closers.close() };
}

function openService(
  { config, logger, hostPrefixes }: StartOptions,
  told: Required<Pick<ServiceOptions, "onFatal" | "onGroup">>,
): Promise<RunningService> {
  const { stateDir, coolingSeconds } = config;
  const defaultPools = poolsOrStandard(config.defaultPools, machineId() ?? config.nodeName);
  const boot = { node: config.nodeName, bootId: bootId(), memory: openMemory(config, logger) };
  const store = openSqliteStore({
    path: join(stateDir, "ipam.db"),
    onCheckpointError: (err) => logger.warn({ err }, "checkpoint of the database failed"),
  });
  const defaults = { coolingSeconds, defaultPools };
  const predefined = config.predefinedNetworks ? { predefined: { avoid: hostPrefixes } } : {};
  return openIpamService({
    store,
    clock: systemClock,
    elapsed: new BootClock(),
    logger,
    defaults,
    version: VERSION,
    ...told,
    boot,
    node: { name: config.nodeName, bootId: boot.bootId, netns: netnsOfProcess() },
    keep: config.history.keep,
    ...predefined,
  });
}

/** Beside the socket, in the runtime directory, which no reboot survives. */
function openMemory({ socket }: ServerConfig, logger: Logger): BootMemory {
  return openBootFile({
    path: `${socket}.seen`,
    bootId: bootId(),
    onError: (err) =>
      logger.warn({ err }, "cannot note what the store holds: another store would not be noticed"),
  });
}

/** Source: Documentation/admin-guide/sysctl/kernel.rst, "random". */
function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** Whoever looks for leases of this machine by what he sees of its links must stand in the same. */
function netnsOfProcess(): string {
  return readlinkSync("/proc/self/ns/net");
}

function makeStateDir(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new FairleadError({
      code: "io-failure",
      operation: "make state directory",
      object: path,
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: "run as root, or choose another directory with the key stateDir or --state-dir",
      cause,
    });
  }
}

/** Source: machine-id(5). Null in a container that has none. */
function machineId(): string | null {
  try {
    return readFileSync("/etc/machine-id", "utf8").trim() || null;
  } catch {
    return null;
  }
}

/** Never made: a network in an address space of its own, with addresses for documentation (RFC 5737). */
const PROBE: NetworkStatusRequest = {
  networkName: "readiness-probe",
  declaration: { rangeSets: [[{ subnet: "192.0.2.0/24" }]], addressSpace: "readiness-probe" },
};

/** Why the service would refuse changes now: asked about a network that nothing else could speak against. */
async function impediments(service: IpamService, caller: Caller): Promise<readonly string[]> {
  const { ready, reason } = await service.networkStatus(PROBE, caller);
  return ready ? [] : [reason];
}

interface FrontParts {
  readonly config: ServerConfig;
  readonly shared: Omit<HttpFrontOptions, "caller">;
  readonly caller: Caller;
  readonly closers: Closers;
}

async function openFronts({ config, shared, caller, closers }: FrontParts): Promise<Listening> {
  const { socket, stateDir, http, grpc } = config;
  const needsToken = http.listen !== null || (grpc.listen !== null && "port" in grpc.listen);
  const token = needsToken ? openTokenFile(join(stateDir, "token")) : null;
  const byToken = { ...caller, actor: "token" };
  // TCP first: the socket is what plugins wait for, and says that all is there.
  const httpAt = http.listen && (await openTcp({ ...shared, caller: byToken, token }, http.listen, closers));
  const grpcAt = grpc.listen && (await openGrpc({ shared, caller, byToken, token }, grpc.listen, closers));
  const front = await createHttpFront({ ...shared, caller });
  closers.add(front.close);
  await bindPrivately(socket, () => front.app.listen({ path: socket, backlog: SOCKET_BACKLOG }));
  return { socket, http: httpAt, grpc: grpcAt };
}

async function openTcp(
  options: HttpFrontOptions,
  { host, port }: TcpAddress,
  closers: Closers,
): Promise<string> {
  const front = await createHttpFront(options);
  closers.add(front.close);
  try {
    await front.app.listen({ host, port });
  } catch (cause) {
    throw new FairleadError({
      code: "unavailable",
      operation: "listen for HTTP on",
      object: `${host}:${port}`,
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: "choose another address in http.listen",
      cause,
    });
  }
  const bound = front.server.address();
  return hostPort(host, typeof bound === "object" && bound ? bound.port : port);
}

interface GrpcParts {
  readonly shared: FrontParts["shared"];
  readonly caller: Caller;
  readonly byToken: Caller;
  readonly token: HttpFrontOptions["token"];
}

async function openGrpc(
  parts: GrpcParts,
  address: TcpAddress | UnixAddress,
  closers: Closers,
): Promise<string> {
  const { shared, caller, byToken, token } = parts;
  const isServing = async (): Promise<boolean> => (await shared.unreadyReasons()).length === 0;
  const options = { ...shared, isServing };
  // Loaded only where it is wanted: it is half of the program.
  const { createGrpcFront } = await import("./fronts/grpc/front.ts");
  if ("path" in address) {
    const front = createGrpcFront({ ...options, caller, token: null });
    closers.add(front.close);
    await bindPrivately(address.path, () => front.listen(`unix:${address.path}`));
    return `unix:${address.path}`;
  }
  const front = createGrpcFront({ ...options, caller: byToken, token });
  closers.add(front.close);
  return hostPort(address.host, await front.listen(hostPort(address.host, address.port)));
}

function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

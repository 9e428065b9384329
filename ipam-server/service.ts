/**
 * The IPAM service over a store: the one implementation of {@link IpamService}.
 *
 * What each operation does is in a file of its own; here they are bound to the engine (which makes them
 * durable and orders them), the store and the clock.
 */

import { randomBytes } from "node:crypto";
import type {
  AttachmentKey,
  Caller,
  Endpoint,
  EndpointFilter,
  Finding,
  GcRequest,
  GcResponse,
  IpamService,
  Lease,
  LeaseFilter,
  LeaseState,
  Network,
  NetworkRef,
  NodeUsage,
  QuarantineRef,
  ReservationRef,
  ServiceInfo,
  Tenancy,
  TenancyFilter,
} from "../lib/ipam/api.ts";
import type { StoreSnapshot } from "../lib/ipam/store.ts";
import { formatInstant } from "../lib/ipam/validate.ts";
import { silentLogger } from "../lib/log.ts";
import { joinPieces } from "../lib/rpc/pieces.ts";
import { acquire } from "./operations/acquire.ts";
import { checkConsistency } from "./operations/consistency.ts";
import { parseDefaultPool } from "./operations/default-pools.ts";
import { endpointsOf, findEndpoints } from "./operations/endpoints.ts";
import { listEvents, staysOf } from "./operations/history.ts";
import { countStates, findLeases, isNarrow, leasesOf } from "./operations/leases.ts";
import { checkCooling, createNetwork, removeNetwork, type Settings } from "./operations/networks.ts";
import { nodesIn } from "./operations/nodes.ts";
import { recover, recoveringError } from "./operations/recovery.ts";
import { collect, findStale, release } from "./operations/release.ts";
import { quarantine, reserve, unquarantine, unreserve } from "./operations/reserve.ts";
import { networkStatus } from "./operations/status.ts";
import { verify } from "./operations/verify.ts";
import type { ServiceOptions } from "./service-options.ts";
import { DEFAULT_MAX_GROUP, DEFAULT_MAX_GROUP_MS, Engine } from "./state/engine.ts";
import { readResting } from "./state/resting.ts";
import { inSlices } from "./state/slices.ts";
import { Snapshot } from "./state/snapshot.ts";
import { type State, stateOf } from "./state/state.ts";
import { SteadyClock } from "./state/steady-clock.ts";
import { viewNetwork } from "./state/views.ts";
import { WatchHub } from "./state/watch.ts";
import { Upkeep } from "./upkeep.ts";

export type RunningService = IpamService & {
  /** Ends the watches, answers what was accepted, and closes the store. Idempotent. */
  close(): Promise<void>;
};

/**
 * Loads the state and begins to serve. When it fails the store has been closed.
 *
 * @throws what the store throws, and io-failure when what it holds contradicts itself
 */
export async function openIpamService(options: ServiceOptions): Promise<RunningService> {
  const settings: Settings = {
    coolingSeconds: checkCooling("open service", options.defaults.coolingSeconds),
    defaultPools: options.defaults.defaultPools.map(parseDefaultPool),
    newNetworkId: options.newNetworkId ?? (() => randomBytes(32).toString("hex")),
  };
  try {
    const snapshot = await options.store.load();
    const recovering = await beginRecovery(options, snapshot);
    const service = new Service(options, { settings, snapshot, recovering });
    await service.start(snapshot);
    return service;
  } catch (error) {
    await options.store.close();
    throw error;
  }
}

/** Notices a store that is another, or an older one, than this boot has seen, and gives its log another name. */
async function beginRecovery(
  { boot, store, logger = silentLogger }: ServiceOptions,
  { revision }: StoreSnapshot,
): Promise<boolean> {
  const seen = boot?.memory.read() ?? null;
  if (seen === null) return false;
  const isSame = seen.logId === store.logId && seen.revision <= revision;
  if (isSame) return seen.recovering;
  await store.renewLogId();
  logger.warn({ seen, found: revision }, "the store is not the one that this boot has seen: in recovery");
  return true;
}

/** Of a check while the store cannot be believed: that it does not contradict itself says nothing. */
const RECOVERING: Finding = {
  severity: "error",
  object: "service",
  problem: "in recovery: the store is another, or an older one, than this boot of the machine has seen",
  remedy: "the agent tells what is attached; where none runs: fairlead ipam recover",
};

/** Attachments that one transaction of a GC releases, so that a large GC does not hold others up. */
const GC_GROUP = 64;

class Service implements RunningService {
  readonly #options: ServiceOptions;
  readonly #settings: Settings;
  readonly #state: State;
  readonly #engine: Engine;
  readonly #watches: WatchHub;
  readonly #upkeep: Upkeep;
  readonly #startedAtMs: number;
  #recovering: boolean;
  #closing: Promise<void> | null = null;

  constructor(
    options: ServiceOptions,
    { settings, snapshot, recovering }: { settings: Settings; snapshot: StoreSnapshot; recovering: boolean },
  ) {
    const { store, logger = silentLogger } = options;
    const clock = new SteadyClock(options.clock, snapshot.lastEventAtMs, options.elapsed);
    const state = stateOf(snapshot);
    const { revision: newestRevision } = snapshot;
    this.#options = options;
    this.#settings = settings;
    this.#recovering = recovering;
    this.#state = state;
    this.#startedAtMs = clock.now();
    this.#watches = new WatchHub({ store, logger, newestRevision });
    this.#engine = new Engine({
      state,
      store,
      clock,
      logger,
      maxGroup: options.maxGroup ?? DEFAULT_MAX_GROUP,
      maxGroupMs: options.maxGroupMs ?? DEFAULT_MAX_GROUP_MS,
      onCommitted: (events) => {
        this.#remember();
        this.#watches.publish(events);
      },
      onFatal: options.onFatal ?? (() => {}),
      onGroup: options.onGroup ?? (() => {}),
    });
    this.#upkeep = new Upkeep(options, settings, this.#engine);
  }

  /** The first commit proves that the store can be written. */
  async start(snapshot: StoreSnapshot): Promise<void> {
    const { version, store } = this.#options;
    const restingSinceMs = this.#startedAtMs - this.#settings.coolingSeconds * 1000;
    this.#state.restAgain(await readResting(store, snapshot, restingSinceMs));
    const reason = `version ${version}, epoch ${store.epoch}`;
    await this.#engine.write("server", (tx) => tx.note({ kind: "server-started", reason }));
    if (!this.#recovering) {
      await this.#upkeep.releaseEarlierBoots();
      // Of a store that is not believed, their subnets may be in use.
      await this.#upkeep.makePredefined();
    }
    this.#upkeep.keepTrimming();
  }

  /** What is durable, before anybody is answered. */
  #remember(): void {
    const { boot, store } = this.#options;
    const { revision } = this.#state;
    boot?.memory.write({ logId: store.logId, revision, recovering: this.#recovering });
  }

  acquire(...[request, caller]: Parameters<IpamService["acquire"]>) {
    if (this.#recovering) return Promise.reject(recoveringError("acquire address"));
    return this.#engine.write(caller.actor, (tx) =>
      acquire(tx, request, { caller, settings: this.#settings }),
    );
  }

  release(...[request, caller]: Parameters<IpamService["release"]>) {
    return this.#engine.write(caller.actor, (tx) => release(tx, request, caller));
  }

  verify(...[request]: Parameters<IpamService["verify"]>) {
    return this.#engine.read((state) => verify(state, request));
  }

  async gc(request: GcRequest, caller: Caller): Promise<GcResponse> {
    const { networkName } = request;
    const released: AttachmentKey[] = [];
    // Looked at by the writer, in the order in which requests came: a read would let acquires pass that came later.
    const rest = await this.#engine.write(caller.actor, (tx) => {
      const stale = findStale(tx.state, request, caller);
      released.push(...collect(tx, networkName, { stale: stale.slice(0, GC_GROUP), caller }));
      return stale.slice(GC_GROUP);
    });
    for (let at = 0; at < rest.length; at += GC_GROUP) {
      const group = { stale: rest.slice(at, at + GC_GROUP), caller };
      released.push(...(await this.#engine.write(caller.actor, (tx) => collect(tx, networkName, group))));
    }
    return { released };
  }

  networkStatus(...[request, caller]: Parameters<IpamService["networkStatus"]>) {
    const recovery = this.#recovering ? recoveringError("serve network") : null;
    const facts = { settings: this.#settings, impediment: this.#engine.impediment ?? recovery };
    return this.#engine.preview(caller.actor, (tx) => networkStatus(tx, request, facts));
  }

  createNetwork(...[request, caller]: Parameters<IpamService["createNetwork"]>) {
    if (this.#recovering) return Promise.reject(recoveringError("create network"));
    return this.#engine.write(caller.actor, (tx) => viewNetwork(createNetwork(tx, request, this.#settings)));
  }

  listNetworks(): Promise<readonly Network[]> {
    return this.#engine.read((state) => state.networksByName().map(viewNetwork));
  }

  getNetwork({ name }: NetworkRef): Promise<Network> {
    return this.#engine.read((state) => viewNetwork(state.findNetwork("show network", name)));
  }

  removeNetwork({ name }: NetworkRef, caller: Caller): Promise<void> {
    return this.#engine.write(caller.actor, (tx) => removeNetwork(tx, name));
  }

  listLeases(filter: LeaseFilter): Promise<readonly Lease[]> {
    return joinPieces(this.streamLeases(filter));
  }

  async *streamLeases(filter: LeaseFilter): AsyncGenerator<readonly Lease[]> {
    if (isNarrow(filter)) yield await this.#engine.read((state, nowMs) => findLeases(state, filter, nowMs));
    else yield* this.#inSnapshot(filter.networkName, (snapshot) => leasesOf(snapshot, filter));
  }

  listEndpoints(filter: EndpointFilter): Promise<readonly Endpoint[]> {
    return joinPieces(this.streamEndpoints(filter));
  }

  async *streamEndpoints(filter: EndpointFilter): AsyncGenerator<readonly Endpoint[]> {
    const { containerId, networkName } = filter;
    if (containerId !== undefined)
      yield await this.#engine.read((state) => findEndpoints(state, containerId, filter));
    else yield* this.#inSnapshot(networkName, (snapshot) => endpointsOf(snapshot, filter));
  }

  /** What `walk` finds in the state of now, however long whoever takes it needs. */
  async *#inSnapshot<T>(
    networkName: string | undefined,
    walk: (snapshot: Snapshot) => Iterator<T | undefined>,
  ): AsyncGenerator<readonly T[]> {
    const snapshot = await this.#engine.read((state, nowMs) => new Snapshot(state, nowMs, networkName));
    try {
      yield* inSlices(walk(snapshot), this.#engine);
    } finally {
      snapshot.close();
    }
  }

  reserve(...[request, caller]: Parameters<IpamService["reserve"]>) {
    return this.#engine.write(caller.actor, (tx) => reserve(tx, request));
  }

  unreserve({ networkName, address }: ReservationRef, caller: Caller): Promise<void> {
    return this.#engine.write(caller.actor, (tx) => unreserve(tx, networkName, address));
  }

  quarantine(...[request, caller]: Parameters<IpamService["quarantine"]>) {
    return this.#engine.write(caller.actor, (tx) => quarantine(tx, request));
  }

  unquarantine({ address, addressSpace }: QuarantineRef, caller: Caller): Promise<void> {
    return this.#engine.write(caller.actor, (tx) => unquarantine(tx, address, addressSpace));
  }

  listEvents(...[filter]: Parameters<IpamService["listEvents"]>) {
    return listEvents(this.#options.store, filter);
  }

  watchEvents(...[since, onEvent]: Parameters<IpamService["watchEvents"]>) {
    return this.#watches.watch(since, onEvent);
  }

  whoHad(filter: TenancyFilter): Promise<readonly Tenancy[]> {
    return joinPieces(this.streamTenancies(filter));
  }

  streamTenancies(filter: TenancyFilter): AsyncGenerator<readonly Tenancy[]> {
    return staysOf(this.#options.store, filter);
  }

  listNodes(): Promise<readonly NodeUsage[]> {
    return joinPieces(this.#inSnapshot(undefined, nodesIn));
  }

  async checkConsistency() {
    const { store } = this.#options;
    const report = await checkConsistency({ engine: this.#engine, store });
    return this.#recovering ? { ...report, findings: [RECOVERING, ...report.findings] } : report;
  }

  async recover(...[request, caller]: Parameters<IpamService["recover"]>) {
    const { logger = silentLogger } = this.#options;
    const facts = { caller, settings: this.#settings };
    const answer = await this.#engine.write(caller.actor, (tx) => recover(tx, request, facts));
    for (const problem of answer.problems) logger.warn({ problem }, "recovery: not put right");
    if (!this.#recovering) return answer;
    await this.#upkeep.releaseEarlierBoots();
    this.#recovering = false;
    this.#remember();
    logger.info({ bound: answer.bound.length, quarantined: answer.quarantined }, "recovery has ended");
    await this.#upkeep.makePredefined();
    return answer;
  }

  info(): Promise<ServiceInfo> {
    const { version, store, node } = this.#options;
    return this.#engine.read((state, nowMs) => ({
      version,
      logId: store.logId,
      recovering: this.#recovering,
      epoch: store.epoch,
      revision: state.revision,
      networks: state.networkCount,
      leases: countStates(state, nowMs) satisfies Record<LeaseState, number>,
      startedAt: formatInstant(this.#startedAtMs),
      store: store.description,
      ...(node && { node }),
    }));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#upkeep.close();
    await this.#engine.close();
    this.#watches.close();
    await this.#options.store.close();
    this.#options.boot?.memory.close();
  }
}

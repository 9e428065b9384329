/**
 * The IPAM service over a store: the one implementation of {@link IpamService}.
 *
 * What each operation does is in a file of its own; here they are bound to the engine (which makes them
 * durable and orders them), the store and the clock.
 */

import { randomBytes } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import type { FairleadError } from "../lib/errors.ts";
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
  ServiceInfo,
} from "../lib/ipam/api.ts";
import type { LeaseStore, StoreSnapshot } from "../lib/ipam/store.ts";
import { formatInstant } from "../lib/ipam/validate.ts";
import { type Logger, silentLogger } from "../lib/log.ts";
import { acquire } from "./acquire.ts";
import type { BootMemory } from "./boot-memory.ts";
import { checkConsistency } from "./consistency.ts";
import { type DefaultPool, parseDefaultPool } from "./default-pools.ts";
import { findOfEarlierBoots, type NodeBoot, releaseOfEarlierBoots } from "./earlier-boots.ts";
import { listEndpoints } from "./endpoints.ts";
import { DEFAULT_MAX_GROUP, DEFAULT_MAX_GROUP_MS, Engine } from "./engine.ts";
import { listEvents, whoHad } from "./history.ts";
import { countStates, listLeases } from "./leases.ts";
import { checkCooling, createNetwork, createPredefined, removeNetwork, type Settings } from "./networks.ts";
import { PREDEFINED_NETWORKS } from "./predefined.ts";
import { recover, recoveringError } from "./recovery.ts";
import { collect, findStale, release } from "./release.ts";
import { quarantine, reserve, unquarantine, unreserve } from "./reserve.ts";
import { readResting } from "./resting.ts";
import { type State, stateOf } from "./state.ts";
import { networkStatus } from "./status.ts";
import { SteadyClock } from "./steady-clock.ts";
import { verify } from "./verify.ts";
import { viewNetwork } from "./views.ts";
import { WatchHub } from "./watch.ts";

export type { DefaultPool } from "./default-pools.ts";

export interface ServiceOptions {
  /** The service owns it from here on: {@link RunningService.close} closes it. */
  readonly store: LeaseStore;
  readonly clock: Clock;
  /** Grows by the time that passes, whoever sets the clock. Default: the clock, which is then believed when it jumps forward. */
  readonly elapsed?: Clock;
  readonly logger?: Logger;
  readonly defaults: { readonly coolingSeconds: number; readonly defaultPools: readonly DefaultPool[] };
  /** Version of the program, for {@link IpamService.info}. */
  readonly version: string;
  /** Most requests that share one store transaction. */
  readonly maxGroup?: number;
  /** Milliseconds of preparing after which a group is committed as it is. Default: 2. */
  readonly maxGroupMs?: number;
  /**
   * Called once when the service cannot go on: its memory or its hold on the store cannot be trusted. Every
   * change is refused from then on; the process should end, and be started again.
   */
  readonly onFatal?: (error: FairleadError) => void;
  /** Makes the ID of a network: 64 hexadecimal digits. Default: random. */
  readonly newNetworkId?: () => string;
  /** This node and its present boot; absent: leases of earlier boots stay, and no other store is noticed. */
  readonly boot?: NodeBoot & { readonly memory: BootMemory };
  /** Makes the predefined networks that are missing; absent: makes none. */
  readonly predefined?: {
    /** As in {@link CreateNetworkRequest}; asked once, when there is a network to be made. */
    readonly avoid: () => readonly string[];
  };
}

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
  readonly #trimmedRevision: number;
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
    const { revision: newestRevision, trimmedRevision } = snapshot;
    this.#options = options;
    this.#settings = settings;
    this.#recovering = recovering;
    this.#state = state;
    this.#trimmedRevision = trimmedRevision;
    this.#startedAtMs = clock.now();
    this.#watches = new WatchHub({ store, logger, newestRevision, trimmedRevision });
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
    });
  }

  /** The first commit proves that the store can be written. */
  async start(snapshot: StoreSnapshot): Promise<void> {
    const { version, store } = this.#options;
    const restingSinceMs = this.#startedAtMs - this.#settings.coolingSeconds * 1000;
    this.#state.restAgain(await readResting(store, snapshot, restingSinceMs));
    const reason = `version ${version}, epoch ${store.epoch}`;
    await this.#engine.write("server", (tx) => tx.note({ kind: "server-started", reason }));
    await this.#releaseEarlierBoots();
    // Their subnets may be in use.
    if (!this.#recovering) await this.#makePredefined();
  }

  /** What is durable, before anybody is answered. */
  #remember(): void {
    const { boot, store } = this.#options;
    const { revision } = this.#state;
    boot?.memory.write({ logId: store.logId, revision, recovering: this.#recovering });
  }

  async #releaseEarlierBoots(): Promise<void> {
    const { boot, logger = silentLogger } = this.#options;
    if (boot === undefined) return;
    for (const group of findOfEarlierBoots(this.#state, boot)) {
      await this.#engine.write("server", (tx) => releaseOfEarlierBoots(tx, group));
      logger.info({ attachments: group.length }, "released what earlier boots of this node held");
    }
  }

  /** One that cannot be made is missing, and the log says why; the service serves all the same. */
  async #makePredefined(): Promise<void> {
    const { predefined, logger = silentLogger } = this.#options;
    if (predefined === undefined) return;
    const missing = PREDEFINED_NETWORKS.filter(({ name }) => this.#state.network(name) === undefined);
    if (missing.length === 0) return;
    const avoid = predefined.avoid();
    for (const { name } of missing) {
      try {
        await this.#engine.write("server", (tx) => createPredefined(tx, { name, avoid }, this.#settings));
        logger.info({ network: name }, "predefined network made");
      } catch (err) {
        logger.warn({ err, network: name }, "predefined network not made");
      }
    }
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
    const stale = findStale(this.#state, request, caller);
    const released: AttachmentKey[] = [];
    for (let at = 0; at < stale.length; at += GC_GROUP) {
      const group = { stale: stale.slice(at, at + GC_GROUP), caller };
      released.push(
        ...(await this.#engine.write(caller.actor, (tx) => collect(tx, request.networkName, group))),
      );
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
    return this.#engine.read((state) =>
      [...state.networks()].map(viewNetwork).sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
  }

  getNetwork(name: string): Promise<Network> {
    return this.#engine.read((state) => viewNetwork(state.findNetwork("show network", name)));
  }

  removeNetwork(name: string, caller: Caller): Promise<void> {
    return this.#engine.write(caller.actor, (tx) => removeNetwork(tx, name));
  }

  listLeases(filter: LeaseFilter): Promise<readonly Lease[]> {
    return this.#engine.read((state, nowMs) => listLeases(state, filter, nowMs));
  }

  listEndpoints(filter: EndpointFilter): Promise<readonly Endpoint[]> {
    return this.#engine.read((state) => listEndpoints(state, filter));
  }

  reserve(...[request, caller]: Parameters<IpamService["reserve"]>) {
    return this.#engine.write(caller.actor, (tx) => reserve(tx, request));
  }

  unreserve(networkName: string, address: string, caller: Caller): Promise<void> {
    return this.#engine.write(caller.actor, (tx) => unreserve(tx, networkName, address));
  }

  quarantine(...[request, caller]: Parameters<IpamService["quarantine"]>) {
    return this.#engine.write(caller.actor, (tx) => quarantine(tx, request));
  }

  unquarantine(address: string, addressSpace: string | undefined, caller: Caller): Promise<void> {
    return this.#engine.write(caller.actor, (tx) => unquarantine(tx, address, addressSpace));
  }

  listEvents(...[filter]: Parameters<IpamService["listEvents"]>) {
    return listEvents(this.#options.store, filter, this.#trimmedRevision);
  }

  watchEvents(...[since, onEvent]: Parameters<IpamService["watchEvents"]>) {
    return this.#watches.watch(since, onEvent);
  }

  whoHad(...[filter]: Parameters<IpamService["whoHad"]>) {
    return whoHad(this.#options.store, filter, this.#trimmedRevision);
  }

  async checkConsistency() {
    const { store } = this.#options;
    const facts = { engine: this.#engine, store, trimmedRevision: this.#trimmedRevision };
    const report = await checkConsistency(facts);
    return this.#recovering ? { ...report, findings: [RECOVERING, ...report.findings] } : report;
  }

  async recover(...[request, caller]: Parameters<IpamService["recover"]>) {
    const { logger = silentLogger } = this.#options;
    const facts = { caller, settings: this.#settings };
    const answer = await this.#engine.write(caller.actor, (tx) => recover(tx, request, facts));
    for (const problem of answer.problems) logger.warn({ problem }, "recovery: not put right");
    if (!this.#recovering) return answer;
    this.#recovering = false;
    this.#remember();
    logger.info({ bound: answer.bound.length, quarantined: answer.quarantined }, "recovery has ended");
    await this.#makePredefined();
    return answer;
  }

  info(): Promise<ServiceInfo> {
    const { version, store } = this.#options;
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
    }));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#engine.close();
    this.#watches.close();
    await this.#options.store.close();
    this.#options.boot?.memory.close();
  }
}

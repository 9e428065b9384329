/** The IPAM service in the process of a test, over a store that can be made to fail and a clock that the test sets. */
import { createHash } from "node:crypto";
import { openIpamService, type RunningService } from "../../../ipam-server/service.ts";
import type { ServiceOptions } from "../../../ipam-server/service-options.ts";
import { MemoryDisk, MemoryStore } from "../../../ipam-server/store/memory/store.ts";
import { type Clock, ManualClock } from "../../../lib/clock.ts";
import type {
  AcquireRequest,
  AttachmentKey,
  Caller,
  Finding,
  Lease,
  PoolUsage,
  ReleaseRequest,
} from "../../../lib/ipam/api.ts";
import {
  type Batch,
  type EventQuery,
  type LeasePage,
  type LeaseStore,
  type StoreFailure,
  storeError,
} from "../../../lib/ipam/store.ts";

export const NODE1: Caller = { actor: "node:n1", node: "n1" };
export const NODE2: Caller = { actor: "node:n2", node: "n2" };
export const ADMIN: Caller = { actor: "uid:0", node: "" };

/** A store whose next commit fails when it is told so, before or (for "sync") after it has taken effect. */
export class FaultyStore implements LeaseStore {
  readonly inner: LeaseStore;
  /** Class of the failure of the commits to come; null for none. */
  failure: StoreFailure | null = null;
  /** Commits tried while {@link failure} was set. */
  failedCommits = 0;
  commits = 0;
  /** When set, each commit waits for it: the store commits asynchronously. */
  gate: (() => Promise<void>) | null = null;

  constructor(inner: LeaseStore) {
    this.inner = inner;
  }

  get description(): string {
    return this.inner.description;
  }

  get epoch(): number {
    return this.inner.epoch;
  }

  get logId(): string {
    return this.inner.logId;
  }

  get trimmedRevision(): number {
    return this.inner.trimmedRevision;
  }

  renewLogId() {
    return this.inner.renewLogId();
  }

  load() {
    return this.inner.load();
  }

  commit(batch: Batch): void | Promise<void> {
    this.commits += 1;
    if (this.gate !== null) return this.gate().then(() => this.#commitNow(batch));
    return this.#commitNow(batch);
  }

  #commitNow(batch: Batch): void | Promise<void> {
    if (this.failure === null) return this.inner.commit(batch);
    this.failedCommits += 1;
    throw storeError({ failure: this.failure, operation: "commit", object: "test", reason: "told to fail" });
  }

  readEvents(query: EventQuery) {
    return this.inner.readEvents(query);
  }

  eventsAt(revisions: readonly number[]) {
    return this.inner.eventsAt(revisions);
  }

  readLeases(page: LeasePage) {
    return this.inner.readLeases(page);
  }

  readNetworks() {
    return this.inner.readNetworks();
  }

  trimEvents(revision: number) {
    return this.inner.trimEvents(revision);
  }

  close() {
    return this.inner.close();
  }
}

const TEST_DEFAULTS = {
  coolingSeconds: 60,
  defaultPools: [
    { base: "10.192.0.0/11", size: 24 },
    { base: "fd00:f1::/48", size: 64 },
  ],
};

/** A service with everything that a test may want to turn. */
export interface Fixture {
  readonly service: RunningService;
  readonly clock: ManualClock;
  readonly store: FaultyStore;
  readonly disk: MemoryDisk;
  /** A second service on what the first one left, as after a crash. */
  reopen(): Promise<Fixture>;
}

export interface FixtureOptions extends Partial<Omit<ServiceOptions, "store" | "clock">> {
  readonly disk?: MemoryDisk;
  readonly clock?: ManualClock;
}

export async function newFixture(options: FixtureOptions = {}): Promise<Fixture> {
  const { disk = new MemoryDisk(), clock = new ManualClock(), ...rest } = options;
  const store = new FaultyStore(new MemoryStore(disk));
  const service = await openService(store, clock, rest);
  return { service, clock, store, disk, reopen: () => newFixture({ ...rest, disk, clock }) };
}

export function openService(
  store: LeaseStore,
  clock: Clock,
  options: Partial<ServiceOptions> = {},
): Promise<RunningService> {
  let networks = 0;
  return openIpamService({
    defaults: TEST_DEFAULTS,
    version: "0.0.0-test",
    // What is asked for at once is one group, however slow the machine.
    maxGroupMs: Number.POSITIVE_INFINITY,
    newNetworkId: () => createHash("sha256").update(`${store.epoch} ${++networks}`).digest("hex"),
    ...options,
    store,
    clock,
  });
}

export function keyOf(containerId: string, networkName = "web", ifname = "eth0"): AttachmentKey {
  return { networkName, containerId, ifname };
}

/** What an acquire with only a key and some wishes looks like. */
export function asking(containerId: string, wishes: Partial<AcquireRequest> = {}): AcquireRequest {
  return { key: keyOf(containerId), ...wishes };
}

/** The addresses of an acquire's answer, without prefix lengths. */
export function plain(answer: { readonly addresses: readonly { readonly address: string }[] }): string[] {
  return answer.addresses.map(({ address }) => address.split("/")[0] ?? "");
}

/** `address state` of each lease. */
export function brief(leases: readonly Lease[]): string[] {
  return leases.map(({ address, state }) => `${address} ${state}`);
}

/** A network of five addresses, .2 to .6. */
export const SMALL = { name: "web", subnets: [{ subnet: "10.1.0.0/29" }] };
/** The same with IPv6. */
export const DUAL = { ...SMALL, subnets: [...SMALL.subnets, { subnet: "fd00:1::/64" }] };

/** A fresh service for each test of a file, checked for contradictions and closed after it. */
export interface ServiceUnderTest {
  /** May be replaced, by {@link Fixture.reopen} for one. */
  f: Fixture;
  /** Acquires in the network "web" and answers the addresses. */
  acquire(containerId: string, wishes?: Partial<AcquireRequest>, caller?: Caller): Promise<string[]>;
  /** Releases in the network "web" and answers the addresses. */
  release(
    containerId: string,
    more?: Omit<ReleaseRequest, "key">,
    caller?: Caller,
  ): Promise<readonly string[]>;
  /** How the first pool of "web" is used. */
  usage(): Promise<PoolUsage | undefined>;
  /** The instant in so many milliseconds by the test's clock. */
  isoIn(ms: number): string;
}

/** Registers the hooks; to be called once at the top of a test file. */
export function useService(): ServiceUnderTest {
  const under: Omit<ServiceUnderTest, "f"> & { f: Fixture | null } = {
    f: null,
    acquire: async (containerId, wishes = {}, caller = NODE1) =>
      plain(await current().service.acquire(asking(containerId, wishes), caller)),
    release: async (containerId, more = {}, caller = NODE1) =>
      (await current().service.release({ key: keyOf(containerId), ...more }, caller)).released,
    usage: async () => (await current().service.networkStatus({ networkName: "web" }, NODE1)).pools[0],
    isoIn: (ms) => new Date(current().clock.now() + ms).toISOString(),
  };
  const current = (): Fixture => {
    if (under.f === null) throw new Error("used outside of a test");
    return under.f;
  };
  beforeEach(async () => {
    under.f = await newFixture();
  });
  afterEach(async () => {
    expect((await current().service.checkConsistency()).findings.filter(isError)).toEqual([]);
    await current().service.close();
  });
  return under as ServiceUnderTest;
}

function isError({ severity }: Finding): boolean {
  return severity === "error";
}

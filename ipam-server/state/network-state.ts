/** One network in memory: its record, its pools, its leases and the indexes over them. */
import { type Address, addressEquals, compareAddresses } from "../../lib/addr/address.ts";
import { prefixContains } from "../../lib/addr/prefix.ts";
import { type AddressRange, rangeContains } from "../../lib/addr/range.ts";
import type { AddressBook } from "../../lib/ipam/allocator.ts";
import { Pool, type Slot } from "../../lib/ipam/pool.ts";
import type { LeaseRecord, NetworkRecord, SubnetRecord } from "../../lib/ipam/store.ts";
import { subnetRanges, usableRuns, withheldOf } from "../../lib/ipam/subnet.ts";
import { AddressMap } from "./address-map.ts";
import { type Attachment, AttachmentIndex } from "./attachment-index.ts";
import { ChunkedMap } from "./chunked-map.ts";
import { SlotIndex } from "./slot-index.ts";

/** What a declaration of a conflist came down to: numbers of the network's pools, in its order. */
export interface ResolvedDeclaration {
  readonly pools: readonly number[];
}

/** Resolved declarations kept per network; conflists are few, so this is only a guard against abuse. */
const MOST_DECLARATIONS = 256;

/** Names an attachment inside its network. Neither part can hold a "/". */
export function attachmentKey(containerId: string, ifname: string): string {
  return `${containerId}/${ifname}`;
}

/** Is told of each change of a lease before it is made, taking one back included. */
export interface LeaseWatcher {
  beforeChange(before: LeaseRecord | null, after: LeaseRecord | null): void;
}

/**
 * One network in memory, with every index over its leases.
 *
 * Indexes follow from the lease records alone: {@link NetworkState.replaceLease} is the only way to change
 * one, and calling it the other way round takes it back exactly.
 */
export class NetworkState implements AddressBook {
  #record: NetworkRecord;
  #pools: readonly Pool[] = [];
  #withheld: readonly AddressRange[] = [];
  #subnets: readonly AddressRange[] = [];
  readonly #slots = { 4: new AddressMap<Slot>(), 6: new AddressMap<Slot>() };
  /** Those of this network by {@link attachmentKey}. */
  readonly #attachments = new ChunkedMap<Attachment<NetworkState>>();
  readonly #index: AttachmentIndex<NetworkState>;
  /** Of what nobody holds, by sticky name of holder or reservation, and by container ID of the last holder. */
  readonly #sticky = new SlotIndex();
  readonly #leftBy = new SlotIndex();
  readonly #declarations = new Map<string, ResolvedDeclaration>();
  /** Slots that no pool counts. */
  readonly #strays = new Set<Slot>();
  readonly #watchers = new Set<LeaseWatcher>();

  /** @param index of all networks of a service; a network that stands alone has its own. */
  constructor(record: NetworkRecord, index = new AttachmentIndex<NetworkState>()) {
    this.#record = record;
    this.#index = index;
    this.#buildPools();
  }

  get record(): NetworkRecord {
    return this.#record;
  }

  get networkName(): string {
    return this.#record.name;
  }

  get pools(): readonly Pool[] {
    return this.#pools;
  }

  /** Every address of its subnets, as ranges; those of a conflist may overlap each other. */
  get subnets(): readonly AddressRange[] {
    return this.#subnets;
  }

  get attachmentCount(): number {
    return this.#attachments.size;
  }

  /** Takes over a changed definition of this network; its leases stay. O(leases) when pools changed. */
  replaceRecord(record: NetworkRecord): void {
    const poolsChanged = record.pools !== this.#record.pools;
    this.#record = record;
    this.#declarations.clear();
    if (poolsChanged) this.#buildPools();
  }

  /** Bound leases of an attachment; empty when there is none. */
  attachment(containerId: string, ifname: string): readonly LeaseRecord[] {
    return this.#attachments.get(attachmentKey(containerId, ifname))?.leases ?? [];
  }

  /** Addresses with a record. */
  get slotCount(): number {
    return this.#slots[4].size + this.#slots[6].size;
  }

  attachments(): Iterable<Attachment<NetworkState>> {
    return this.#attachments.values();
  }

  slotAt({ family, value }: Address): Slot | undefined {
    return this.#slots[family].get(value);
  }

  /** Every address with a record, IPv4 first, in no order beyond that. */
  *slots(): Generator<Slot> {
    yield* this.#slots[4].values();
    yield* this.#slots[6].values();
  }

  /** Addresses of one family by their value. Must not be changed. */
  slotsOf(family: 4 | 6): AddressMap<Slot> {
    return this.#slots[family];
  }

  /** Addresses with a record that are in no range handed out unasked: few, as a rule. */
  get strays(): Iterable<Slot> {
    return this.#strays;
  }

  /** Begins to tell `watcher`; returns the function that ends it. */
  watchLeases(watcher: LeaseWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Attachments in pieces of at most 256, for walks that pause: see {@link ChunkedMap.chunks}. */
  attachmentChunks(): Generator<readonly Attachment<NetworkState>[]> {
    return this.#attachments.chunks();
  }

  stickySlots(stickyName: string): Iterable<Slot> {
    return this.#sticky.get(stickyName);
  }

  slotsLeftBy(containerId: string): Iterable<Slot> {
    return this.#leftBy.get(containerId);
  }

  /** What a container holds, and what it was the last to hold, by address. */
  recordsOfContainer(containerId: string): LeaseRecord[] {
    const held = this.#index.of(containerId).flatMap(({ owner, leases }) => (owner === this ? leases : []));
    const left = [...this.#leftBy.get(containerId)].map(({ record }) => record);
    return [...held, ...left].sort((a, b) => compareAddresses(a.address, b.address));
  }

  /** The subnet that holds `address`, that of pool `preferred` if several do. */
  subnetOf(address: Address, preferred = 0): { pool: number; subnet: SubnetRecord } | null {
    const order = [preferred, ...this.#pools.keys()];
    for (const pool of order) {
      const subnet = this.#record.pools[pool]?.subnets.find((each) => prefixContains(each.subnet, address));
      if (subnet !== undefined) return { pool, subnet };
    }
    return null;
  }

  /** The pool out of which `address` may be asked for, or null: outside every range, or never handed out. */
  poolForRequest(address: Address): number | null {
    if (this.isWithheld(address)) return null;
    const at = this.#record.pools.findIndex((pool) =>
      pool.subnets.some(({ askable }) => askable.some((range) => rangeContains(range, address))),
    );
    return at < 0 ? null : at;
  }

  /** True for gateways, network and broadcast addresses, exclusions and auxiliary addresses. */
  isWithheld(address: Address): boolean {
    return this.#withheld.some((range) => rangeContains(range, address));
  }

  resolved(declaration: string): ResolvedDeclaration | undefined {
    return this.#declarations.get(declaration);
  }

  rememberResolved(declaration: string, resolved: ResolvedDeclaration): void {
    if (this.#declarations.size >= MOST_DECLARATIONS) this.#declarations.clear();
    this.#declarations.set(declaration, resolved);
  }

  /** Replaces what is known about one address; null stands for nothing. Both name the same address. */
  replaceLease(before: LeaseRecord | null, after: LeaseRecord | null): void {
    for (const watcher of this.#watchers) watcher.beforeChange(before, after);
    const slot = before === null ? null : this.#takeOut(before);
    if (after !== null) this.#putIn(slot, after);
    else if (before !== null) this.#drop(before.address);
  }

  #takeOut(record: LeaseRecord): Slot {
    const slot = this.slotAt(record.address);
    if (slot === undefined) throw new Error("a lease record without a slot");
    slot.pool?.remove(slot);
    this.#strays.delete(slot);
    this.#leave(slot);
    return slot;
  }

  #putIn(existing: Slot | null, record: LeaseRecord): void {
    const slot = existing ?? { record, pool: null, bucket: null, heapIndex: -1 };
    slot.record = record;
    this.#slots[record.address.family].set(record.address.value, slot);
    this.#count(slot);
    this.#enter(slot);
  }

  #drop(address: Address): void {
    this.#slots[address.family].delete(address.value);
    this.#poolOf(address)?.retreat(address.value);
  }

  /** In the pool that hands it out, or among those that none does. */
  #count(slot: Slot): void {
    const pool = this.#poolOf(slot.record.address);
    if (pool === undefined) this.#strays.add(slot);
    else pool.add(slot);
  }

  #poolOf(address: Address): Pool | undefined {
    return this.#pools.find((pool) => pool.contains(address));
  }

  #enter(slot: Slot): void {
    const { record } = slot;
    if (record.state === "bound") {
      this.#bind(record);
      return;
    }
    for (const name of stickyNamesOf(record)) this.#sticky.add(name, slot);
    this.#leftBy.add(record.containerId, slot);
  }

  #bind(record: LeaseRecord): void {
    const { containerId, ifname } = record;
    const key = attachmentKey(containerId, ifname);
    const held = this.#attachments.get(key);
    if (held !== undefined) {
      held.leases = [...held.leases, record].sort(byPool);
      return;
    }
    const attachment = { owner: this, containerId, ifname, leases: [record] };
    this.#attachments.set(key, attachment);
    this.#index.add(attachment);
  }

  #leave(slot: Slot): void {
    const { record } = slot;
    if (record.state === "bound") {
      this.#unbind(record);
      return;
    }
    for (const name of stickyNamesOf(record)) this.#sticky.remove(name, slot);
    this.#leftBy.remove(record.containerId, slot);
  }

  #unbind(record: LeaseRecord): void {
    const key = attachmentKey(record.containerId, record.ifname);
    const attachment = this.#attachments.get(key);
    if (attachment === undefined) return;
    const rest = attachment.leases.filter((held) => !addressEquals(held.address, record.address));
    if (rest.length > 0) {
      attachment.leases = rest;
      return;
    }
    this.#attachments.delete(key);
    this.#index.remove(attachment);
  }

  #buildPools(): void {
    this.#withheld = withheldOf(this.#record.pools);
    this.#subnets = subnetRanges(this.#record.pools);
    this.#pools = this.#record.pools.map((record, index) => {
      const ranges = record.subnets.flatMap((subnet) => subnet.ranges);
      const slots = this.#slots[record.family];
      return new Pool({
        index,
        record,
        runs: usableRuns(ranges, this.#withheld),
        hasSlot: (value) => slots.has(value),
      });
    });
    this.#strays.clear();
    for (const slot of this.slots()) {
      slot.pool = null;
      slot.bucket = null;
      slot.heapIndex = -1;
      this.#count(slot);
    }
  }
}

function stickyNamesOf({ stickyName, reservation }: LeaseRecord): readonly string[] {
  const reserved = reservation?.stickyName ?? "";
  return reserved === stickyName ? [stickyName] : [stickyName, reserved];
}

function byPool(a: LeaseRecord, b: LeaseRecord): number {
  return a.pool - b.pool;
}

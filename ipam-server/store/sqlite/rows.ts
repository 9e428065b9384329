/** Records as rows: the order of columns is that of the tables in schema.ts. */

import { createHash } from "node:crypto";
import { addressFromKey, addressToKey } from "../../../lib/addr/address.ts";
import type { EventKind, LeaseState } from "../../../lib/ipam/api.ts";
import type { EventRecord, LeaseRecord, Reservation } from "../../../lib/ipam/store.ts";

export type SqlValue = null | number | bigint | string | Uint8Array;
export type Row = Record<string, SqlValue>;

const NO_NAMES: readonly string[] = [];

/** Everything behind `space, address, network`. */
export const LEASE_COLUMNS =
  "owner, pool, state, sequence, version, container_id, ifname, node, boot_id, mac, names, sticky_name, " +
  "acquired_at, since, until, reservation, quarantine";

/**
 * 16 bytes that stand for network, attachment and pool. Equal for equal ones; that two different ones meet is as
 * likely as guessing a 128-bit key. The JSON array keeps the parts apart.
 */
function ownerDigest({ networkId, containerId, ifname, pool }: LeaseRecord): Uint8Array {
  const parts = JSON.stringify([networkId, containerId, ifname, pool]);
  return createHash("sha256").update(parts).digest().subarray(0, 16);
}

export function leaseToRow(lease: LeaseRecord): SqlValue[] {
  return [
    ownerDigest(lease),
    lease.pool,
    lease.state,
    lease.sequence,
    lease.version,
    lease.containerId,
    lease.ifname,
    lease.node,
    lease.bootId,
    lease.mac,
    lease.names.length === 0 ? "[]" : JSON.stringify(lease.names),
    lease.stickyName,
    lease.acquiredAtMs,
    lease.sinceMs,
    lease.untilMs,
    lease.reservation === null ? null : JSON.stringify(lease.reservation),
    lease.quarantine,
  ];
}

/** `share` returns one string for equal strings, so that a hundred thousand leases share their node's name. */
export function leaseFromRow(row: Row, networkId: string, share: (text: string) => string): LeaseRecord {
  const names = text(row["names"]);
  const reservation = row["reservation"];
  return {
    addressSpace: share(text(row["space"])),
    address: addressFromKey(bytes(row["address"])),
    networkId,
    pool: integer(row["pool"]),
    state: share(text(row["state"])) as LeaseState,
    sequence: integer(row["sequence"]),
    version: integer(row["version"]),
    containerId: text(row["container_id"]),
    ifname: share(text(row["ifname"])),
    node: share(text(row["node"])),
    bootId: share(text(row["boot_id"])),
    mac: text(row["mac"]),
    names: names === "[]" ? NO_NAMES : (JSON.parse(names) as string[]),
    stickyName: text(row["sticky_name"]),
    acquiredAtMs: optionalInteger(row["acquired_at"]),
    sinceMs: integer(row["since"]),
    untilMs: optionalInteger(row["until"]),
    reservation: reservation === null ? null : (JSON.parse(text(reservation)) as Reservation),
    quarantine: row["quarantine"] === null ? null : text(row["quarantine"]),
  };
}

export function eventToRow(event: EventRecord): SqlValue[] {
  return [
    event.revision,
    event.atMs,
    event.actor,
    event.kind,
    event.networkName,
    event.addressSpace,
    event.address === null ? null : addressToKey(event.address),
    event.containerId,
    event.ifname,
    event.node,
    event.mac,
    event.sequence,
    event.reason,
    event.networkId,
  ];
}

export function eventFromRow(row: Row): EventRecord {
  const address = row["address"];
  return {
    revision: integer(row["revision"]),
    atMs: integer(row["at"]),
    actor: text(row["actor"]),
    kind: text(row["kind"]) as EventKind,
    networkName: text(row["network_name"]),
    networkId: text(row["network_id"]),
    addressSpace: text(row["space"]),
    address: address === null ? null : addressFromKey(bytes(address)),
    containerId: text(row["container_id"]),
    ifname: text(row["ifname"]),
    node: text(row["node"]),
    mac: text(row["mac"]),
    sequence: integer(row["sequence"]),
    reason: text(row["reason"]),
  };
}

export function integer(value: SqlValue | undefined): number {
  if (typeof value === "number") return value;
  throw new TypeError(`expected an integer, found ${typeof value}`);
}

export function text(value: SqlValue | undefined): string {
  if (typeof value === "string") return value;
  throw new TypeError(`expected text, found ${typeof value}`);
}

function optionalInteger(value: SqlValue | undefined): number | null {
  return value === null ? null : integer(value);
}

function bytes(value: SqlValue | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`expected a blob, found ${typeof value}`);
}

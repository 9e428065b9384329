/**
 * IPv4 and IPv6 addresses as values: parse, format, bytes, order, arithmetic.
 *
 * One type serves both families, so that nothing above is written twice. Own code, not a library: it is on
 * the path of every ADD, where loading one costs more than the whole conversation with the kernel.
 */
import { FairleadError } from "../errors.ts";
import { parseError } from "./parse-error.ts";

export type Family = 4 | 6;

/** `value` is the address as an unsigned integer of {@link addressBits} bits, most significant byte first. */
export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** Where IPv4 addresses lie among IPv6 ones: `::ffff:0:0/96`. Source: RFC 4291 §2.5.5.2. */
const MAPPED_BASE = 0xffff_0000_0000n;

/** Width of an address in bits: 32 or 128. */
export function addressBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** The highest value that an address of `family` can have. */
export function highestValue(family: Family): bigint {
  return family === 4 ? 0xffff_ffffn : 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_ffffn;
}

/**
 * Parses the text of one address, and nothing more: no prefix length, no zone, no port, no white space.
 *
 * IPv4 is four decimal numbers without leading zeros (some readers take those as octal). IPv6 is any form
 * of RFC 4291 §2.2. An IPv4-mapped address (`::ffff:10.1.2.3`) is refused: it is an IPv4 address in
 * disguise, never one that an interface holds, and two texts must not mean one address.
 *
 * @throws invalid-config
 */
export function parseAddress(text: string): Address {
  const value = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  if (typeof value === "string") throw notAnAddress(text, value);
  return { family: text.includes(":") ? 6 : 4, value };
}

function notAnAddress(text: string, reason: string): FairleadError {
  const alone = text.replace(/\/\d+$/, "");
  return alone === text || tryParseAddress(alone) === null
    ? parseError("address", text, { reason })
    : parseError("address", text, {
        reason: "it has a prefix length",
        hint: `write the address alone: ${alone}`,
      });
}

/** Like {@link parseAddress}, but null for what is not an address. */
export function tryParseAddress(text: string): Address | null {
  const value = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  return typeof value === "string" ? null : { family: text.includes(":") ? 6 : 4, value };
}

/** The value, or a sentence that says what is wrong. */
function parseIpv4(text: string): bigint | string {
  const parts = text.split(".");
  if (parts.length !== 4) return "an IPv4 address has four numbers, like 10.1.2.3";
  let value = 0n;
  for (const part of parts) {
    if (!/^[0-9]{1,3}$/.test(part) || Number(part) > 255) return `"${part.slice(0, 8)}" is not 0 to 255`;
    if (part.length > 1 && part.startsWith("0")) return `"${part}" has a leading zero`;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseIpv6(text: string): bigint | string {
  if (text.includes("%")) return "an address with a zone has no meaning here";
  const halves = text.split("::");
  if (halves.length > 2) return `"::" may stand in it once`;
  const [head = "", tail] = halves;
  const left = parseGroups(head, tail === undefined);
  const right = parseGroups(tail ?? "", true);
  if (typeof left === "string") return left;
  if (typeof right === "string") return right;
  const given = left.length + right.length;
  if (tail === undefined ? given !== 8 : given > 7) return "an IPv6 address has eight groups";
  const zeros = new Array<bigint>(8 - given).fill(0n);
  const value = [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) | group, 0n);
  return isMapped(value) ? "it is an IPv4-mapped address: write it as IPv4" : value;
}

/** Groups on one side of "::"; `mayEndInIpv4` where the side ends the address (`::1.2.3.4`). */
function parseGroups(side: string, mayEndInIpv4: boolean): bigint[] | string {
  if (side === "") return [];
  const groups: bigint[] = [];
  const parts = side.split(":");
  for (const [at, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(BigInt(`0x${part}`));
    } else if (mayEndInIpv4 && at === parts.length - 1 && part.includes(".")) {
      const value = parseIpv4(part);
      if (typeof value === "string") return value;
      groups.push(value >> 16n, value & 0xffffn);
    } else {
      return `"${part.slice(0, 8)}" is not one to four hexadecimal digits`;
    }
  }
  return groups;
}

function isMapped(value: bigint): boolean {
  return value >> 32n === 0xffffn;
}

/**
 * The one canonical text of an address.
 *
 * Source: RFC 5952 §4 (lower case, no leading zeros, "::" for the longest run of two or more zero groups,
 * the first of equals) and §5 (an IPv4-mapped address ends in dotted decimal).
 */
export function formatAddress({ family, value }: Address): string {
  if (family === 4) return formatIpv4(value);
  if (isMapped(value)) return `::ffff:${formatIpv4(value & 0xffff_ffffn)}`;
  const groups: string[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(((value >> shift) & 0xffffn).toString(16));
  const { start, length } = longestZeroRun(groups);
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}

function formatIpv4(value: bigint): string {
  const bits = Number(value);
  return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
}

function longestZeroRun(groups: readonly string[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [at, group] of groups.entries()) {
    length = group === "0" ? length + 1 : 0;
    if (length > best.length) best = { start: at - length + 1, length };
  }
  return best;
}

/** The address in network byte order: 4 or 16 bytes, a fresh array. */
export function addressToBytes({ family, value }: Address): Uint8Array {
  return bigintToBytes(value, addressBits(family) / 8);
}

/**
 * The address that 4 or 16 bytes in network byte order hold. The bytes are not kept.
 *
 * @throws decode-failure for any other length.
 */
export function addressFromBytes(bytes: Uint8Array): Address {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new FairleadError({
      code: "decode-failure",
      operation: "read address",
      reason: `an address has 4 or 16 bytes, not ${bytes.length}`,
    });
  }
  return { family: bytes.length === 4 ? 4 : 6, value: bytesToBigint(bytes) };
}

/**
 * Sixteen bytes that name the address among those of both families: IPv4 lies at `::ffff:0:0/96`.
 *
 * Comparing keys byte by byte gives the order of {@link compareAddresses}, so a store may scan a range.
 *
 * @throws internal for an IPv4-mapped IPv6 address, whose key would be that of the IPv4 address.
 */
export function addressToKey(address: Address): Uint8Array {
  if (address.family === 6 && isMapped(address.value)) {
    throw new FairleadError({
      code: "internal",
      operation: "make key of address",
      object: formatAddress(address),
      reason: "an IPv4-mapped address has no key of its own",
    });
  }
  return bigintToBytes(orderOf(address), 16);
}

/**
 * Inverse of {@link addressToKey}.
 *
 * @throws decode-failure when `key` has not 16 bytes.
 */
export function addressFromKey(key: Uint8Array): Address {
  if (key.length !== 16) {
    throw new FairleadError({
      code: "decode-failure",
      operation: "read key of address",
      reason: `a key has 16 bytes, not ${key.length}`,
    });
  }
  const value = bytesToBigint(key);
  return isMapped(value) ? { family: 4, value: value & 0xffff_ffffn } : { family: 6, value };
}

/** Negative, zero or positive as `a` comes before, equals or comes after `b`: the order of their keys. */
export function compareAddresses(a: Address, b: Address): number {
  const [left, right] = [orderOf(a), orderOf(b)];
  if (left === right) return a.family - b.family;
  return left < right ? -1 : 1;
}

function orderOf({ family, value }: Address): bigint {
  return family === 4 ? MAPPED_BASE | value : value;
}

export function addressEquals(a: Address, b: Address): boolean {
  return a.family === b.family && a.value === b.value;
}

/**
 * The address `offset` places after `address` (before it, when negative).
 *
 * @throws invalid-config when there is none: before `0.0.0.0` or `::`, or past the last of the family.
 */
export function offsetAddress(address: Address, offset: bigint): Address {
  const value = address.value + offset;
  if (value < 0n || value > highestValue(address.family)) {
    throw new FairleadError({
      code: "invalid-config",
      operation: "offset address",
      object: formatAddress(address),
      reason: `there is no IPv${address.family} address ${offset} places on`,
    });
  }
  return { family: address.family, value };
}

/** True for 224.0.0.0/4 and ff00::/8. Source: RFC 5771 §3, RFC 4291 §2.7. */
export function isMulticastAddress({ family, value }: Address): boolean {
  return family === 4 ? value >> 28n === 0xen : value >> 120n === 0xffn;
}

function bigintToBytes(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let rest = value;
  for (let at = length - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

function bytesToBigint(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

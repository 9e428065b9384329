/** IP prefixes (`10.1.0.0/16`) and interface addresses (`10.1.2.3/16`) as values. */
import { FairleadError } from "../errors.ts";
import {
  type Address,
  addressBits,
  addressEquals,
  compareAddresses,
  type Family,
  formatAddress,
  highestValue,
  parseAddress,
  tryParseAddress,
} from "./address.ts";
import { parseError } from "./parse-error.ts";

/** A block of addresses: those whose first `length` bits are those of `address`. The other bits are zero. */
export interface Prefix {
  readonly address: Address;
  readonly length: number;
}

/** What an interface holds: an address, and the length of the prefix that is on-link behind it. */
export interface InterfaceAddress {
  readonly address: Address;
  readonly length: number;
}

/**
 * Parses `address/length`. Host bits must be zero: `10.1.2.3/24` is an error that names `10.1.2.0/24`,
 * because whoever wrote it meant either the prefix or the address and we cannot know which.
 *
 * @throws invalid-config
 */
export function parsePrefix(text: string): Prefix {
  const { address, length } = parseWithLength("prefix", text);
  const prefix = prefixOf(address, length);
  if (!addressEquals(prefix.address, address)) {
    throw parseError("prefix", text, {
      reason: "it has bits beyond its length",
      hint: `write ${formatPrefix(prefix)}`,
    });
  }
  return prefix;
}

/** Like {@link parsePrefix}, but null for what is not a prefix. */
export function tryParsePrefix(text: string): Prefix | null {
  const split = splitLength(text);
  if (split === null) return null;
  const prefix = prefixOf(split.address, split.length);
  return addressEquals(prefix.address, split.address) ? prefix : null;
}

/**
 * Parses `address/length`, host bits welcome.
 *
 * @throws invalid-config
 */
export function parseInterfaceAddress(text: string): InterfaceAddress {
  return parseWithLength("interface address", text);
}

/**
 * Like {@link parsePrefix}, but with the bits beyond the length as they were written: for those who say in words of their
 * own what they think of them.
 *
 * @throws invalid-config
 */
export function parseLoosePrefix(text: string): InterfaceAddress {
  return parseWithLength("prefix", text);
}

const USUAL_LENGTHS = { 4: 24, 6: 64 } as const;

function parseWithLength(kind: "prefix" | "interface address", text: string): InterfaceAddress {
  const split = splitLength(text);
  if (split !== null) return split;
  const slash = text.indexOf("/");
  // First the address: advice about the length of what is none would lead astray.
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  const length = USUAL_LENGTHS[address.family];
  const example = kind === "prefix" ? prefixOf(address, length) : { address, length };
  const [reason, hint] =
    slash < 0
      ? ["it has no prefix length", `write it like ${formatPrefix(example)}`]
      : [
          `the prefix length is not 0 to ${addressBits(address.family)}`,
          `write the number of bits after the slash, like ${formatPrefix(example)}`,
        ];
  throw parseError(kind, text, { reason, hint });
}

function splitLength(text: string): InterfaceAddress | null {
  const slash = text.indexOf("/");
  const address = slash < 0 ? null : tryParseAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === null || !/^(0|[1-9][0-9]{0,2})$/.test(digits)) return null;
  const length = Number(digits);
  return length <= addressBits(address.family) ? { address, length } : null;
}

/** `10.1.0.0/16`, or `10.1.2.3/16` for an interface address, in canonical form. */
export function formatPrefix({ address, length }: Prefix | InterfaceAddress): string {
  return `${formatAddress(address)}/${length}`;
}

/**
 * The prefix of `length` bits that `address` lies in.
 *
 * @throws invalid-config when no prefix of that family has that length.
 */
export function prefixOf(address: Address, length: number): Prefix {
  const { family, value } = address;
  if (!Number.isInteger(length) || length < 0 || length > addressBits(family)) {
    throw new FairleadError({
      code: "invalid-config",
      operation: "make prefix of",
      object: formatAddress(address),
      reason: `${length} is not a prefix length from 0 to ${addressBits(family)}`,
    });
  }
  return { address: { family, value: value & ~hostMask(family, length) }, length };
}

/** Ones in the bits that a prefix of `length` leaves free. */
function hostMask(family: Family, length: number): bigint {
  return (1n << BigInt(addressBits(family) - length)) - 1n;
}

/** `255.255.255.0` for 24, as an address of the family. */
export function netmask(family: Family, length: number): Address {
  return { family, value: highestValue(family) & ~hostMask(family, length) };
}

export function firstAddress(prefix: Prefix): Address {
  return prefix.address;
}

/** The last address, which in IPv4 is the broadcast address. */
export function lastAddress({ address: { family, value }, length }: Prefix): Address {
  return { family, value: value | hostMask(family, length) };
}

/**
 * The first address that an interface may hold: not the first of all, which names the IPv4 network or is
 * the IPv6 Subnet-Router anycast address.
 * In the two smallest sizes (/31 and /32, /127 and /128) every address is a host.
 *
 * Source: RFC 3021 (IPv4 /31), RFC 6164 §5 (IPv6 /127), RFC 4291 §2.6.1 (anycast address).
 */
export function firstHost({ address: { family, value }, length }: Prefix): Address {
  return { family, value: addressBits(family) - length < 2 ? value : value + 1n };
}

/** The last address that an interface may hold: the last but one in IPv4 up to /30, else the last. */
export function lastHost(prefix: Prefix): Address {
  const last = lastAddress(prefix);
  return last.family === 4 && prefix.length <= 30 ? { family: 4, value: last.value - 1n } : last;
}

/** Number of addresses, all counted. */
export function prefixSize({ address, length }: Prefix): bigint {
  return 1n << BigInt(addressBits(address.family) - length);
}

export function prefixContains(prefix: Prefix, address: Address): boolean {
  const { family } = prefix.address;
  return (
    family === address.family && (address.value & ~hostMask(family, prefix.length)) === prefix.address.value
  );
}

/** True when every address of `inner` is in `outer`; a prefix contains itself. */
export function prefixContainsPrefix(outer: Prefix, inner: Prefix): boolean {
  return outer.length <= inner.length && prefixContains(outer, inner.address);
}

/** True when they share an address, which for prefixes means that one contains the other. */
export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return prefixContainsPrefix(a, b) || prefixContainsPrefix(b, a);
}

export function prefixEquals(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && addressEquals(a.address, b.address);
}

/** Order by first address, then the larger block first. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  return compareAddresses(a.address, b.address) || a.length - b.length;
}

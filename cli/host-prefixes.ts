/** What this host reaches by other ways: a subnet out of the default pools must not hide it. */
import { readFileSync } from "node:fs";
import { addressFromBytes, formatAddress, tryParseAddress } from "../lib/addr/address.ts";
import { formatPrefix, type Prefix, prefixOf } from "../lib/addr/prefix.ts";

/** As many as the service takes; the widest first. */
const MOST_PREFIXES = 4096;
/** Source: linux/route.h, RTF_UP. */
const RTF_UP = 0x1;

/** A half of everything is a default route, too: VPNs lay two of them over the host's own. Source: OpenVPN, redirect-gateway def1. */
const LONGEST_DEFAULT = 1;

/** Prefixes of the routes of this network namespace, and addresses of the name servers. Default routes are left out. */
export function readHostPrefixes(): string[] {
  const routes = [
    ...parseRoutes(readText("/proc/net/route")),
    ...parseRoutes6(readText("/proc/net/ipv6_route")),
  ].sort((a, b) => a.length - b.length);
  const all = [...parseNameServers(readText("/etc/resolv.conf")), ...routes.map(formatPrefix)];
  return [...new Set(all)].slice(0, MOST_PREFIXES);
}

/** Empty where it cannot be read: IPv6 may be off, and a host without name servers is a host. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Source: net/ipv4/fib_trie.c, fib_route_seq_show: hexadecimal numbers in the byte order of the machine. */
export function parseRoutes(text: string): Prefix[] {
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 8 && (Number.parseInt(fields[3] ?? "", 16) & RTF_UP) !== 0)
    .map(([, destination = "", , , , , , mask = ""]) =>
      prefixOf(addressFromBytes(littleEndian(destination)), maskLength(littleEndian(mask))),
    )
    .filter(({ length }) => length > LONGEST_DEFAULT);
}

function littleEndian(hex: string): Uint8Array {
  return Uint8Array.from(bytesOf(hex)).reverse();
}

function bytesOf(hex: string): number[] {
  return (hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
}

function maskLength(mask: Uint8Array): number {
  return [...mask]
    .map((byte) => byte.toString(2).replaceAll("0", "").length)
    .reduce((sum, bits) => sum + bits, 0);
}

/** Source: net/ipv6/route.c, rt6_info_route: destination, its length, …, the link last. */
export function parseRoutes6(text: string): Prefix[] {
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 10 && fields.at(-1) !== "lo")
    .map(([destination = "", length = ""]) =>
      prefixOf(addressFromBytes(Uint8Array.from(bytesOf(destination))), Number.parseInt(length, 16)),
    )
    .filter(({ length }) => length > LONGEST_DEFAULT);
}

/** Source: resolv.conf(5). A zone (`fe80::1%eth0`) is no part of the address. */
export function parseNameServers(text: string): string[] {
  return [...text.matchAll(/^\s*nameserver\s+([^\s%#;]+)/gm)].flatMap(([, word = ""]) => {
    const address = tryParseAddress(word);
    return address === null ? [] : [formatAddress(address)];
  });
}

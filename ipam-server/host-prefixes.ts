/** What this machine reaches without Fairlead: prefixes that no network of ours should be given unasked. */

import { readFileSync } from "node:fs";
import { tryParseAddress } from "../lib/addr/address.ts";

/** `Iface Destination Gateway Flags RefCnt Use Metric Mask …`, numbers in hexadecimal, addresses in host order. */
const ROUTES_FILE = "/proc/net/route";
const RESOLVER_FILE = "/etc/resolv.conf";

/** Destinations of the IPv4 routes of the main table, and the name servers. Empty where they cannot be read. */
export function hostPrefixes(): string[] {
  return [...routePrefixes(read(ROUTES_FILE)), ...nameservers(read(RESOLVER_FILE))];
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Source: net/ipv4/fib_trie.c `fib_route_seq_show`. IPv6 is left out: our default pool there is random. */
export function routePrefixes(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const [, destination = "", , , , , , mask = ""] = line.split("\t");
    if (!/^[0-9A-F]{8}$/.test(destination) || !/^[0-9A-F]{8}$/.test(mask)) return [];
    const length = [...Buffer.from(mask, "hex")].reduce((bits, byte) => bits + ones(byte), 0);
    return length === 0 ? [] : [`${Buffer.from(destination, "hex").reverse().join(".")}/${length}`];
  });
}

function ones(byte: number): number {
  return byte.toString(2).replaceAll("0", "").length;
}

export function nameservers(text: string): string[] {
  const words = [...text.matchAll(/^[ \t]*nameserver[ \t]+([^\s%#;]+)/gm)].map(([, word = ""]) => word);
  return words.filter((word) => tryParseAddress(word) !== null);
}

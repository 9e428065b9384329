/** Names of addresses: `2.0.77.10.in-addr.arpa`. Source: RFC 1035 §3.5, RFC 3596 §2.5. */
import { type Address, addressToBytes, tryParseAddress } from "../addr/address.ts";

const IPV4_ZONE = ".in-addr.arpa";
const IPV6_ZONE = ".ip6.arpa";

export function reverseName(address: Address): string {
  const bytes = [...addressToBytes(address)].reverse();
  if (address.family === 4) return `${bytes.join(".")}${IPV4_ZONE}`;
  const nibbles = bytes.flatMap((byte) => [(byte & 15).toString(16), (byte >> 4).toString(16)]);
  return `${nibbles.join(".")}${IPV6_ZONE}`;
}

/** The address that a name (in lower case) is the reverse of; null for every other name. */
export function reversedAddress(name: string): Address | null {
  if (name.endsWith(IPV4_ZONE)) {
    return tryParseAddress(name.slice(0, -IPV4_ZONE.length).split(".").reverse().join("."));
  }
  if (!name.endsWith(IPV6_ZONE)) return null;
  const nibbles = name.slice(0, -IPV6_ZONE.length).split(".").reverse();
  if (nibbles.length !== 32 || !nibbles.every((nibble) => /^[0-9a-f]$/.test(nibble))) return null;
  const groups = nibbles.join("").match(/.{4}/g) ?? [];
  return tryParseAddress(groups.join(":"));
}

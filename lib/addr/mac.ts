/** Ethernet addresses (EUI-48). In the program a MAC is its canonical text: `02:ab:cd:ef:01:23`. */
import { FairleadError } from "../errors.ts";
import { hash64 } from "../hash.ts";
import { parseError } from "./parse-error.ts";

const MAC_BYTES = 6;

/** First byte, bit 0: group address. Bit 1: locally administered. Source: IEEE 802-2014 §8.2. */
const GROUP_BIT = 0x01;
const LOCAL_BIT = 0x02;

/**
 * The canonical text (lower case, colons) of a MAC address written with colons or hyphens, two digits a byte.
 *
 * @throws invalid-config
 */
export function parseMac(text: string): string {
  const separator = text.includes("-") ? "-" : ":";
  const parts = text.split(separator);
  if (parts.length !== MAC_BYTES || !parts.every((part) => /^[0-9a-fA-F]{2}$/.test(part))) {
    throw parseError("MAC address", text, {
      reason: "it is not six pairs of hexadecimal digits like 02:ab:cd:ef:01:23",
    });
  }
  return parts.join(":").toLowerCase();
}

/** Like {@link parseMac}, but refuses what no single interface can hold: a group address or all zeros. */
export function parseInterfaceMac(text: string): string {
  const mac = parseMac(text);
  if (isMulticastMac(mac))
    throw parseError("MAC address", text, { reason: "it is a group address, not an interface's" });
  if (mac === "00:00:00:00:00:00")
    throw parseError("MAC address", text, { reason: "the kernel takes no all-zero address" });
  return mac;
}

/** Six bytes, in the order in which they are sent. Takes any text that {@link parseMac} takes. */
export function macToBytes(mac: string): Uint8Array {
  return Uint8Array.from(parseMac(mac).split(":"), (part) => Number.parseInt(part, 16));
}

/** @throws decode-failure when `bytes` are not six. */
export function macFromBytes(bytes: Uint8Array): string {
  if (bytes.length !== MAC_BYTES) {
    throw new FairleadError({
      code: "decode-failure",
      operation: "read MAC address",
      reason: `a MAC address has ${MAC_BYTES} bytes, not ${bytes.length}`,
    });
  }
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** True for a group address: multicast or broadcast. */
export function isMulticastMac(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & GROUP_BIT) !== 0;
}

/**
 * A locally administered unicast MAC that depends on nothing but `seed`: the same seed, the same MAC, on
 * every machine. 46 bits come from {@link hash64}. A seed of several parts must say where each one ends.
 */
export function deriveMac(seed: string): string {
  const hash = hash64(seed);
  const bytes = Array.from({ length: MAC_BYTES }, (_, at) => Number((hash >> BigInt(56 - 8 * at)) & 0xffn));
  const [first = 0, ...rest] = bytes;
  return macFromBytes(Uint8Array.of((first & ~GROUP_BIT) | LOCAL_BIT, ...rest));
}

/**
 * What somebody wishes for one attachment, and whether the network grants it: in Docker's words, before anything is
 * touched.
 */
import { parseAddress, tryParseAddress } from "../../lib/addr/address.ts";
import { parseMac } from "../../lib/addr/mac.ts";
import { parsePrefix, prefixContains } from "../../lib/addr/prefix.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import type { Network } from "../../lib/ipam/api.ts";
import { WordedError } from "../base/worded-error.ts";
import { PREDEFINED_BRIDGE } from "./links.ts";

export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: string;
  readonly hostIP?: string;
}

export interface AttachmentWishes {
  readonly ip?: string;
  readonly ip6?: string;
  readonly mac?: string;
  readonly aliases?: readonly string[];
  readonly gatewayPriority?: number;
  /** `name:alias` or `name`: whom the container may call by name on the network `bridge`. */
  readonly links?: readonly string[];
  readonly portMappings?: readonly PortMapping[];
}

/**
 * @throws WordedError
 */
export function checkWishes(wishes: AttachmentWishes, name: string, network: Network | null): void {
  checkAddress(wishes.ip, 4, network);
  checkAddress(wishes.ip6, 6, network);
  if (wishes.mac !== undefined) checkMac(wishes.mac);
  if (network?.origin === "predefined" && (wishes.aliases ?? []).length > 0) {
    throw new WordedError(
      "invalid-config",
      "network-scoped alias is supported only for containers in user defined networks",
    );
  }
  if ((wishes.links ?? []).length > 0 && name !== PREDEFINED_BRIDGE) {
    throw new WordedError(
      "invalid-config",
      `links are for the network ${PREDEFINED_BRIDGE}; on network ${name} every container is found by its name`,
    );
  }
}

function checkAddress(text: string | undefined, family: 4 | 6, network: Network | null): void {
  if (text === undefined) return;
  if (tryParseAddress(text)?.family !== family) {
    throw new WordedError("invalid-config", `invalid IPv${family} address: ${text}`);
  }
  if (network === null) return;
  const subnets = network.pools.filter((pool) => pool.family === family).flatMap((pool) => pool.subnets);
  if (network.origin === "predefined") {
    throw new WordedError(
      "invalid-config",
      "user specified IP address is supported on user defined networks only",
    );
  }
  if (subnets.length === 0 || subnets.some(({ fromDefaultPool }) => fromDefaultPool)) {
    throw new WordedError(
      "invalid-config",
      "user specified IP address is supported only when connecting to networks with user configured subnets",
    );
  }
  const address = parseAddress(text);
  if (subnets.some(({ subnet }) => prefixContains(parsePrefix(subnet), address))) return;
  throw new WordedError(
    "invalid-config",
    `Invalid address ${text}: It does not belong to any of this network's subnets`,
  );
}

function checkMac(text: string): void {
  try {
    parseMac(text);
  } catch (cause) {
    throw new WordedError("invalid-config", `invalid MAC address: ${text}`, cause);
  }
}

/** True when nothing is wished for that depends on what the network is. */
export function isPlain({ ip, ip6, aliases = [], links = [] }: AttachmentWishes): boolean {
  return ip === undefined && ip6 === undefined && aliases.length === 0 && links.length === 0;
}

/** Wishes as capabilities: each must be declared by a plugin of the conflist, or it would be passed over. */
export function capabilityArgsOf({ ip, ip6, mac, portMappings = [] }: AttachmentWishes): JsonObject {
  const ips = [ip, ip6].filter((address) => address !== undefined);
  return {
    ...(ips.length > 0 && { ips }),
    ...(mac !== undefined && { mac }),
    ...(portMappings.length > 0 && { portMappings: portMappings.map((mapping) => ({ ...mapping })) }),
  };
}

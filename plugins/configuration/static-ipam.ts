/**
 * The `ipam` section of type `fairlead-static`: addresses that the configuration, or whoever attaches, names itself. There
 * is no state, and nobody looks whether an address is free.
 *
 * Shared by `fairlead-static` and by the interface plugins, which do without a second process.
 *
 * Source: README of the reference plugin `static`, whose keys and precedence these are.
 */
import { type Address, formatAddress, tryParseAddress } from "../../lib/addr/address.ts";
import {
  formatPrefix,
  type InterfaceAddress,
  parseInterfaceAddress,
  prefixContains,
  prefixOf,
} from "../../lib/addr/prefix.ts";
import { configurationError } from "../../lib/cni/config.ts";
import { list, NETWORK_CONFIGURATION, object, type Read, readFields, text } from "../../lib/cni/fields.ts";
import { dnsField, type Result, type ResultIp, ROUTE_FIELDS } from "../../lib/cni/result.ts";
import { asFairleadError, FairleadError } from "../../lib/errors.ts";
import type { AddressConfig } from "./attachment.ts";
import { listOf, requiredRoute } from "./ipam-config.ts";

/** The type that our own plugins serve in process. */
export const FAIRLEAD_STATIC = "fairlead-static";

/** Keys of CNI_ARGS that name addresses. */
export const STATIC_ARG_KEYS: readonly string[] = ["IP", "GATEWAY"];

const ADDRESS_FIELDS = { address: text(), gateway: text() };

const STATIC_FIELDS = {
  addresses: list(object(ADDRESS_FIELDS)),
  routes: list(object(ROUTE_FIELDS)),
  dns: dnsField,
};

interface StaticAddress {
  readonly address: InterfaceAddress;
  readonly gateway: Address | undefined;
}

/**
 * The result of ADD: `ips`, `routes` and `dns`; no interfaces.
 *
 * `IP` of CNI_ARGS comes on top of the configured addresses; `args.cni.ips` takes the place of both, `runtimeConfig.ips`
 * of all three. A `GATEWAY` of CNI_ARGS is that of every address whose subnet it lies in and that names none.
 *
 * @param args the pairs of CNI_ARGS; empty for verbs that have none.
 * @throws FairleadError invalid-config, naming the key.
 */
export function staticResult(
  { ipam, runtimeConfig, args: metadata }: AddressConfig,
  args: ReadonlyMap<string, string>,
): Result {
  const read = readFields(STATIC_FIELDS, ipam.raw, { path: "ipam", reading: NETWORK_CONFIGURATION });
  const named: readonly StaticAddress[] = wishes(elementOf("runtimeConfig.ips"), runtimeConfig.ips) ??
    wishes(elementOf("args.cni.ips"), metadata.cni.ips) ?? [
      ...read.addresses.map(configured),
      ...(wishes(() => "CNI_ARGS IP", listOf(args.get("IP"))) ?? []),
    ];
  const gateways = listOf(args.get("GATEWAY")).map((gateway) => gatewayIn("CNI_ARGS GATEWAY", gateway));
  return {
    interfaces: [],
    ips: named.map((address) => toIp(withGateway(address, gateways))),
    routes: read.routes.map(requiredRoute),
    dns: read.dns,
  };
}

/**
 * Compares what an ADD would answer now with what it answered.
 *
 * @param today as {@link staticResult} says.
 * @throws FairleadError check-failed when the result lacks an address.
 */
export function checkStatic(today: Result, prevResult: Result): void {
  const missing = today.ips.find(
    ({ address }) => !prevResult.ips.some((ip) => sameAddress(ip.address, address)),
  );
  if (missing === undefined) return;
  throw new FairleadError({
    code: "check-failed",
    operation: "check address",
    object: missing.address,
    reason: "the configuration names it, but the attachment was made without it",
    hint: "DEL the attachment and ADD it again",
  });
}

function sameAddress(one: string, other: string): boolean {
  return formatPrefix(parseInterfaceAddress(one)) === formatPrefix(parseInterfaceAddress(other));
}

type KeyOf = (index: number) => string;

function elementOf(key: string): KeyOf {
  return (index) => `${key}[${index}]`;
}

/** Undefined when the list says nothing: the next source counts. */
function wishes(keyOf: KeyOf, addresses: readonly string[]): StaticAddress[] | undefined {
  if (addresses.length === 0) return undefined;
  return addresses.map((address, index) => ({
    address: addressIn(keyOf(index), address.trim()),
    gateway: undefined,
  }));
}

function configured({ address, gateway }: Read<typeof ADDRESS_FIELDS>, index: number): StaticAddress {
  const key = `ipam.addresses[${index}]`;
  const own = addressIn(`${key}.address`, address);
  if (gateway === "") return { address: own, gateway: undefined };
  const through = gatewayIn(`${key}.gateway`, gateway);
  if (through.family === own.address.family) return { address: own, gateway: through };
  throw configurationError(
    `${key}.gateway`,
    `${gateway} is of another family than ${address}`,
    "name one of the same",
  );
}

function withGateway(own: StaticAddress, gateways: readonly Address[]): StaticAddress {
  if (own.gateway) return own;
  const { address, length } = own.address;
  // The last one named wins, as with the reference.
  const gateway = gateways.findLast((each) => prefixContains(prefixOf(address, length), each));
  return gateway ? { ...own, gateway } : own;
}

function toIp({ address, gateway }: StaticAddress): ResultIp {
  return { address: formatPrefix(address), ...(gateway && { gateway: formatAddress(gateway) }) };
}

function addressIn(key: string, value: string): InterfaceAddress {
  try {
    return parseInterfaceAddress(value);
  } catch (error) {
    const { reason, hint } = asFairleadError(error, "read address");
    const advice = hint === "" ? "give an address with its prefix length, like 192.168.1.10/24" : hint;
    throw configurationError(key, `"${value}" is refused: ${reason}`, advice);
  }
}

function gatewayIn(key: string, value: string): Address {
  const gateway = tryParseAddress(value.trim());
  if (gateway !== null) return gateway;
  throw configurationError(
    key,
    `"${value}" is not an IP address`,
    "write it without a prefix length: 192.168.1.1",
  );
}

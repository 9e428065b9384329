/**
 * The gateways of the ranges that a configuration names, in host-local's words, which several IPAM plugins read.
 *
 * A range set may have several subnets: when one is full, the next attachment is in another, behind another gateway.
 */
import { tryParseAddress } from "../../lib/addr/address.ts";
import { firstHost, type InterfaceAddress, tryParsePrefix } from "../../lib/addr/prefix.ts";
import { list, object, readLeniently, TOP } from "../../lib/cni/fields.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import { IP_RANGE, type IpRange } from "../../lib/cni/sections.ts";

const RANGE_SETS = list(list(object(IP_RANGE)));

const FIELDS = {
  ipam: object({ ...IP_RANGE, ranges: RANGE_SETS }),
  runtimeConfig: object({ ipRanges: RANGE_SETS }),
};

/** What the ranges of a configuration say of its network. Never throws: whoever gives the addresses has read them, and judged them. */
export interface Declared {
  /** The gateways of all ranges that are named, each with the length of its subnet: of one set, each attachment gets one. */
  declaredGateways(): readonly InterfaceAddress[];
  /** Whether a range is less than its subnet: other networks may have the rest, perhaps on a bridge of their own. */
  declaresParts(): boolean;
}

/** The ranges are read once, when the first of them is asked for. */
export function declaredBy(raw: JsonObject): Declared {
  let known: readonly IpRange[] | null = null;
  const ranges = (): readonly IpRange[] => {
    known ??= declaredRanges(raw);
    return known;
  };
  return {
    declaredGateways: () => ranges().flatMap(gatewayOf),
    declaresParts: () => ranges().some(({ rangeStart, rangeEnd }) => rangeStart !== "" || rangeEnd !== ""),
  };
}

function declaredRanges(raw: JsonObject): readonly IpRange[] {
  const { ipam, runtimeConfig } = readLeniently(FIELDS, raw, { ...TOP, complain: () => {} });
  return [ipam, ...ipam.ranges.flat(), ...runtimeConfig.ipRanges.flat()];
}

function gatewayOf({ subnet, gateway }: IpRange): InterfaceAddress[] {
  const prefix = tryParsePrefix(subnet);
  if (prefix === null) return [];
  const address = gateway === "" ? firstHost(prefix) : tryParseAddress(gateway);
  return address === null ? [] : [{ address, length: prefix.length }];
}

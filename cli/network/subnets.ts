/**
 * Matches ranges, gateways and auxiliary addresses to the subnets that they lie in.
 *
 * Source of the rules and the words: docker/cli v20.10, cli/command/network/create.go, consolidateIpam.
 */
import { tryParseAddress } from "../../lib/addr/address.ts";
import {
  formatPrefix,
  type Prefix,
  parseInterfaceAddress,
  prefixContains,
  prefixOf,
} from "../../lib/addr/prefix.ts";
import type { SubnetSpec } from "../../lib/ipam/api.ts";
import { WordedError } from "../base/worded-error.ts";

export interface AddressOptions {
  readonly subnets: readonly string[];
  readonly ranges: readonly string[];
  readonly gateways: readonly string[];
  readonly auxAddresses: Readonly<Record<string, string>>;
}

interface Draft {
  readonly text: string;
  readonly prefix: Prefix;
  range: string | null;
  gateway: string | null;
  readonly aux: Map<string, string>;
}

/** @throws WordedError */
export function matchSubnets({ subnets, ranges, gateways, auxAddresses }: AddressOptions): SubnetSpec[] {
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw new WordedError("invalid-config", "every ip-range or gateway must have a corresponding subnet");
  }
  const drafts: Draft[] = [];
  for (const text of subnets) drafts.push(newDraft(text, drafts));
  for (const range of ranges) setRange(range, draftFor(drafts, range, "range"));
  for (const gateway of gateways) setGateway(gateway, draftFor(drafts, gateway, "gateway"));
  for (const [name, address] of Object.entries(auxAddresses)) {
    draftFor(drafts, address, "aux-address").aux.set(name, address);
  }
  return drafts.map(specOf);
}

function newDraft(text: string, others: readonly Draft[]): Draft {
  const prefix = readSubnet(text);
  const clash = others.some(
    (other) => prefixContains(prefix, other.prefix.address) || prefixContains(other.prefix, prefix.address),
  );
  if (clash)
    throw new WordedError("invalid-config", "multiple overlapping subnet configuration is not supported");
  return { text, prefix, range: null, gateway: null, aux: new Map() };
}

/** Docker takes 10.0.0.1/24 for 10.0.0.0/24 up to version 24, and refuses it since, in these words. */
function readSubnet(text: string): Prefix {
  const given = readPrefix(text);
  if (given === null)
    throw new WordedError("invalid-config", `Invalid subnet ${text} : invalid CIDR address: ${text}`);
  const prefix = prefixOf(given.address, given.length);
  if (prefix.address.value !== given.address.value) {
    throw new WordedError("invalid-config", `invalid subnet ${text}: it should be ${formatPrefix(prefix)}`);
  }
  return prefix;
}

function readPrefix(text: string): Prefix | null {
  try {
    return parseInterfaceAddress(text);
  } catch {
    return null;
  }
}

/** @param what an address or a prefix. */
function draftFor(drafts: readonly Draft[], what: string, kind: string): Draft {
  const address = tryParseAddress(what) ?? readPrefix(what)?.address;
  const found = address && drafts.find(({ prefix }) => prefixContains(prefix, address));
  if (found) return found;
  throw new WordedError("invalid-config", `no matching subnet for ${kind} ${what}`);
}

function setRange(range: string, draft: Draft): void {
  if (draft.range !== null) {
    throw new WordedError(
      "invalid-config",
      `cannot configure multiple ranges (${range}, ${draft.range}) on the same subnet (${draft.text})`,
    );
  }
  draft.range = range;
}

function setGateway(gateway: string, draft: Draft): void {
  if (draft.gateway !== null) {
    throw new WordedError(
      "invalid-config",
      `cannot configure multiple gateways (${gateway}, ${draft.gateway}) for the same subnet (${draft.text})`,
    );
  }
  draft.gateway = gateway;
}

function specOf({ text, range, gateway, aux }: Draft): SubnetSpec {
  return {
    subnet: text,
    ...(range !== null && { ipRange: range }),
    ...(gateway !== null && { gateway }),
    ...(aux.size > 0 && { auxAddresses: Object.fromEntries(aux) }),
  };
}

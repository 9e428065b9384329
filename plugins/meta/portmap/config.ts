/**
 * The configuration of `fairlead-portmap`: the keys of the reference plugin `portmap`, and some of ours.
 *
 * Source: README of the reference plugin portmap.
 */
import { type Address, tryParseAddress } from "../../../lib/addr/address.ts";
import { anything, flag, list, type Read, readFields, text } from "../../../lib/cni/fields.ts";
import type { JsonObject } from "../../../lib/cni/json.ts";
import { RUNTIME_CONFIG } from "../../../lib/cni/sections.ts";
import { FairleadError } from "../../../lib/errors.ts";
import { HOST_BINDING } from "../../configuration/port-mappings.ts";

const PORTMAP_FIELDS = {
  /** Lets clients on the container's own link, and on the host's loopback, reach the published ports. */
  snat: flag(true),
  /** Hides every client behind this host. */
  masqAll: flag(),
  conditionsV4: list(text()),
  conditionsV6: list(text()),
  /** Accepted for the sake of existing conflists: Fairlead marks no packets, and speaks nftables alone. */
  markMasqBit: anything,
  externalSetMarkChain: anything,
  backend: anything,
  /** Ours. */
  hostBinding: HOST_BINDING,
  runtimeConfig: RUNTIME_CONFIG,
};

export interface PortmapConfig
  extends Pick<Read<typeof PORTMAP_FIELDS>, "snat" | "masqAll" | "runtimeConfig"> {
  /** Null: every address of the host. */
  readonly hostBinding: Address | null;
}

/**
 * Reads and checks the keys of `raw`, the configuration object from stdin.
 *
 * @throws FairleadError invalid-config; unsupported-field for conditions, which are words for other programs' command
 *   lines: Fairlead executes none.
 */
export function readPortmapConfig(raw: JsonObject): PortmapConfig {
  const { snat, masqAll, runtimeConfig, hostBinding, ...rest } = readFields(PORTMAP_FIELDS, raw);
  for (const key of ["conditionsV4", "conditionsV6"] as const) {
    if (rest[key].length > 0) throw unsupportedConditions(key, rest[key]);
  }
  return { snat, masqAll, runtimeConfig, hostBinding: tryParseAddress(hostBinding) };
}

function unsupportedConditions(key: string, value: readonly string[]): FairleadError {
  return new FairleadError({
    code: "unsupported-field",
    operation: "read network configuration",
    object: key,
    reason: `its value ${JSON.stringify(value)} is in the language of a program that is not used here`,
    hint: "give the mapping a hostIP (or the network a hostBinding) to limit where it is reached, or filter in a chain of your own",
  });
}

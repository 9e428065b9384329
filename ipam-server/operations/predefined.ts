/** The networks that are there from the start. */

import { FairleadError } from "../../lib/errors.ts";
import { type Driver, OPTION } from "../../lib/ipam/network-options.ts";

export interface PredefinedNetwork {
  readonly name: string;
  readonly driver: Driver;
  readonly options: Readonly<Record<string, string>>;
}

/**
 * Docker's three, under its names: scripts that say `--network none` or `-d host` mean the same here. The bridge
 * of `bridge` has a name of its own instead of one made of an ID, so that people recognise it on every host.
 */
export const PREDEFINED_NETWORKS: readonly PredefinedNetwork[] = [
  { name: "bridge", driver: "bridge", options: { [OPTION.bridgeName]: "fl-bridge0" } },
  { name: "host", driver: "host", options: {} },
  { name: "none", driver: "null", options: {} },
];

/** Docker's modes beside the names of networks: whoever names a network so meant the mode. */
const OTHER_RESERVED_NAMES: readonly string[] = ["default"];

/** True for names that no other network may have, whether or not the predefined networks were made. */
export function isReservedName(name: string): boolean {
  return OTHER_RESERVED_NAMES.includes(name) || PREDEFINED_NETWORKS.some((network) => network.name === name);
}

export function predefinedRefusal(
  operation: string,
  name: string,
  { reason, hint }: { readonly reason: string; readonly hint: string },
): FairleadError {
  const details = { rule: "network-predefined", network: name };
  return new FairleadError({ code: "permission-denied", operation, object: name, reason, hint, details });
}

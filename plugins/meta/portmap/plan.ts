/** One invocation of this plugin, read and checked. */
import type { AddRequest } from "../../../lib/cni/request.ts";
import type { Result } from "../../../lib/cni/result.ts";
import { readMappings } from "../../configuration/port-mappings.ts";
import type { Publication } from "../../published-ports.ts";
import { readPortmapConfig } from "./config.ts";

/**
 * What the runtime wants published; null: nothing.
 *
 * @param result of the plugins before.
 * @throws FairleadError invalid-config, unsupported-field.
 */
export function planPublication(
  { config, key, log }: Pick<AddRequest, "config" | "key" | "log">,
  result: Result,
): Publication | null {
  const { runtimeConfig, hostBinding, snat, masqAll } = readPortmapConfig(config.raw);
  const mappings = readMappings(runtimeConfig.portMappings, hostBinding);
  return mappings.length === 0 ? null : { key, mappings, snat, masqueradeAll: masqAll, result, log };
}

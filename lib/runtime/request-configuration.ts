/**
 * What one plugin gets on stdin and in its environment.
 *
 * Source: CNI SPEC 1.1.0, "Deriving request configuration from plugin configuration" and "Parameters".
 */

import type { Verb } from "../cni/environment.ts";
import { isObject, type JsonObject } from "../cni/json.ts";
import type { AttachmentKey } from "../cni/request.ts";
import type { Conflist, PluginConfig } from "./conflist.ts";

/** One attachment from the runtime's side. */
export interface RuntimeAttachment {
  readonly containerId: string;
  readonly ifname: string;
  /** Path of the container netns; empty where it is not known any more. */
  readonly netns: string;
  /** Pairs of `CNI_ARGS`. */
  readonly cniArgs?: readonly (readonly [string, string])[];
  /** By capability; each plugin gets what its configuration declares. */
  readonly capabilityArgs?: JsonObject;
}

export function keyOf(conflist: Conflist, { containerId, ifname }: RuntimeAttachment): AttachmentKey {
  return { networkName: conflist.name, containerId, ifname };
}

/** What differs from verb to verb. */
export interface RequestExtras {
  readonly attachment?: RuntimeAttachment;
  readonly prevResult?: JsonObject | null;
  /** Keys of the verb's own (GC). */
  readonly keys?: JsonObject;
}

const encoder = new TextEncoder();

/** The request configuration of `plugin`, as the bytes of its stdin. `capabilities` is the runtime's and stays here. */
export function requestConfiguration(
  { name, cniVersion }: Conflist,
  plugin: PluginConfig,
  { attachment, prevResult, keys }: RequestExtras,
): Uint8Array {
  const { capabilities: _, ...configuration } = plugin.raw;
  const runtimeConfig = runtimeConfigOf(plugin, attachment?.capabilityArgs ?? {});
  return encoder.encode(
    JSON.stringify({
      ...configuration,
      name,
      cniVersion,
      ...(Object.keys(runtimeConfig).length > 0 && { runtimeConfig }),
      ...(prevResult && { prevResult }),
      ...keys,
    }),
  );
}

function runtimeConfigOf({ capabilities, raw }: PluginConfig, offered: JsonObject): JsonObject {
  const written = isObject(raw["runtimeConfig"]) ? raw["runtimeConfig"] : {};
  const wanted = Object.entries(offered).filter(([name]) => capabilities.includes(name));
  return { ...written, ...Object.fromEntries(wanted) };
}

/** Names of capabilities for which something is given and which no plugin of the list declares. */
export function unservedCapabilities({ plugins }: Conflist, offered: JsonObject): string[] {
  return Object.keys(offered).filter(
    (name) => !plugins.some(({ capabilities }) => capabilities.includes(name)),
  );
}

/** The `CNI_*` variables. Those of the attachment are there but empty for GC and STATUS, as libcni sends them. */
export function cniVariables(
  verb: Verb,
  pluginPath: readonly string[],
  attachment?: RuntimeAttachment,
): Record<string, string> {
  const { containerId = "", netns = "", ifname = "", cniArgs = [] } = attachment ?? {};
  return {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: ifname,
    CNI_ARGS: cniArgs.map(([key, value]) => `${key}=${value}`).join(";"),
    CNI_PATH: pluginPath.join(":"),
  };
}

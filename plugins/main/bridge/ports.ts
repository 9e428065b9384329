/** Published ports, where the network has this plugin publish them (`publishPorts`). */
import { readFields } from "../../../lib/cni/fields.ts";
import type { CheckRequest, PluginRequest } from "../../../lib/cni/request.ts";
import { RUNTIME_CONFIG } from "../../../lib/cni/sections.ts";
import { type Mapping, readMappings } from "../../port-mappings.ts";
import { checkPublication, PUBLISHING_SOCKET, type Publication, publish } from "../../published-ports.ts";
import { HostNetlink, type Workspace } from "../../workspace.ts";
import type { BridgeConfig } from "./config.ts";
import type { BridgePlan } from "./plan.ts";

/** The host's sockets, made for as much as this network may ask for at once. */
export function openHost({ publishPorts }: BridgeConfig): HostNetlink {
  return new HostNetlink(publishPorts ? PUBLISHING_SOCKET : {});
}

const FIELDS = { runtimeConfig: RUNTIME_CONFIG };

/**
 * The ports that this plugin is to publish; none where the network leaves that to others. Apart from the plan, because DEL
 * takes back what there is, whatever is asked for by now.
 *
 * @throws FairleadError invalid-config, unsupported-field.
 */
export function planMappings(
  { publishPorts, hostBinding }: BridgeConfig,
  { config }: PluginRequest,
): readonly Mapping[] {
  if (!publishPorts) return [];
  const { runtimeConfig } = readFields(FIELDS, config.raw);
  return readMappings(runtimeConfig.portMappings, hostBinding);
}

/** What there is to publish: the mappings, and whose they are. */
export interface PortsToPublish extends Pick<Publication, "mappings" | "result" | "log"> {
  readonly plan: BridgePlan;
}

/** @throws FairleadError as `publish` of `published-ports.ts`. */
export function publishMappings(wanted: PortsToPublish, space: Workspace): void {
  if (wanted.mappings.length > 0) publish(publicationOf(wanted), space);
}

/** @throws FairleadError check-failed, invalid-config, unsupported-field. */
export function checkMappings(plan: BridgePlan, request: CheckRequest, host: HostNetlink): void {
  const { prevResult: result, log } = request;
  const mappings = planMappings(plan.config, request);
  if (mappings.length > 0) checkPublication(publicationOf({ plan, mappings, result, log }), host);
}

/** Makes sure that the kernel has what publishing needs, where the network asks for it. @throws FairleadError unavailable. */
export function requirePublishing(config: BridgeConfig): void {
  if (!config.publishPorts) return;
  const host = openHost(config);
  try {
    host.nft.generation();
  } finally {
    host.close();
  }
}

function publicationOf({ plan: { key, config }, ...rest }: PortsToPublish): Publication {
  return { ...rest, key, snat: config.snat, masqueradeAll: false };
}

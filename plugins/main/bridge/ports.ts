/** Published ports, where the network has this plugin publish them (`publishPorts`). */
import type { CheckRequest } from "../../../lib/cni/request.ts";
import { HostNetlink } from "../../../lib/host/netlink.ts";
import { checkPublication, PUBLISHING_SOCKET, type Publication, publish } from "../../published-ports.ts";
import type { Workspace } from "../../workspace.ts";
import type { BridgeConfig } from "./config.ts";
import type { BridgePlan } from "./plan.ts";

/** The host's sockets, made for as much as this network may ask for at once. */
export function openHost({ publishPorts }: BridgeConfig): HostNetlink {
  return new HostNetlink(publishPorts ? PUBLISHING_SOCKET : {});
}

/** Whose mappings are to be published, and where they lead. */
export interface PortsToPublish extends Pick<Publication, "result" | "log"> {
  readonly plan: BridgePlan;
}

/** @throws FairleadError as `publish` of `published-ports.ts`. */
export function publishMappings(wanted: PortsToPublish, space: Workspace): void {
  if (wanted.plan.mappings.length > 0) publish(publicationOf(wanted), space);
}

/** @throws FairleadError check-failed. */
export function checkMappings(plan: BridgePlan, request: CheckRequest, host: HostNetlink): void {
  const { prevResult: result, log } = request;
  if (plan.mappings.length > 0) checkPublication(publicationOf({ plan, result, log }), host);
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

function publicationOf({ plan: { key, config, mappings }, ...rest }: PortsToPublish): Publication {
  return { ...rest, mappings, key, snat: config.snat, masqueradeAll: false };
}

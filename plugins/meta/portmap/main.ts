/**
 * `fairlead-portmap`: publishes ports of a container on this host. Drop-in for the reference plugin `portmap`.
 *
 * Runs in a chain, behind the plugin that made the container's interface. It executes nothing, and keeps no files: all
 * that it knows is in the elements of nftables that it makes.
 *
 * Source: CNI SPEC 1.1.0; README of the reference plugin portmap.
 */
import type { CheckRequest, DelRequest, GcRequest, PluginHandlers } from "../../../lib/cni/request.ts";
import { type PluginIo, runPlugin } from "../../../lib/cni/run-plugin.ts";
import { CNI_VERSIONS } from "../../../lib/cni/versions.ts";
import { checkPublishedPorts } from "../../../lib/host/firewall-portmap-check.ts";
import { removeUnusedPortmap } from "../../../lib/host/firewall-portmap-table.ts";
import { unpublishPorts, unpublishStalePorts } from "../../../lib/host/firewall-portmap-unpublish.ts";
import { checkLoopbackRouting } from "../../../lib/host/settings.ts";
import { VERSION } from "../../../lib/version.ts";
import { pluginIo } from "../../io.ts";
import { add, findLinkTo } from "./add.ts";
import { readPortmapConfig } from "./config.ts";
import { forgetFlows } from "./flows.ts";
import { withHost } from "./host.ts";
import { containerAddresses, planPorts, readMappings } from "./plan.ts";

/** By the key alone: a configuration that has changed, or cannot be read any more, keeps nothing from going. */
function del({ key }: DelRequest): void {
  withHost((host) => forgetFlows(unpublishPorts(host.nft, key), host));
}

function check(request: CheckRequest): void {
  const { key, prevResult } = request;
  const config = readPortmapConfig(request.config.raw);
  const mappings = readMappings(config);
  if (mappings.length === 0) return;
  const addresses = containerAddresses(prevResult, key.ifname);
  const ports = planPorts(mappings, addresses);
  withHost((host) => {
    const link = config.snat ? findLinkTo(addresses, request, host) : null;
    checkPublishedPorts(host.nft, { holder: key, ports, link, masqueradeAll: config.masqAll });
    if (link !== null && ports.some(({ hostAddress }) => hostAddress.family === 4))
      checkLoopbackRouting(link);
  });
}

function gc({ config, validAttachments }: GcRequest): void {
  withHost((host) => {
    forgetFlows(unpublishStalePorts(host.nft, config.networkName, validAttachments), host);
    if (validAttachments.length === 0) removeUnusedPortmap(host.nft);
  });
}

const handlers: PluginHandlers = {
  add,
  del,
  check,
  gc,
  status({ config }) {
    readPortmapConfig(config.raw);
    withHost(({ nft }) => nft.generation());
  },
};

/**
 * Runs one invocation.
 *
 * @returns the exit status of the process.
 */
export function main(io: PluginIo = pluginIo()): number {
  return runPlugin({
    name: "fairlead-portmap",
    version: VERSION,
    supportedVersions: CNI_VERSIONS,
    handlers,
    io,
  });
}

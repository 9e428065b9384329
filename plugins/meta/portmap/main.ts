/**
 * `fairlead-portmap`: publishes ports of a container on this host. Drop-in for the reference plugin `portmap`.
 *
 * Runs in a chain, behind the plugin that made the container's interface. It executes nothing, and keeps no files: all
 * that it knows is in the elements of nftables that it makes.
 *
 * Source: CNI SPEC 1.1.0; README of the reference plugin portmap.
 */
import type { DelRequest, GcRequest, PluginHandlers } from "../../../lib/cni/request.ts";
import { type PluginIo, runPlugin } from "../../../lib/cni/run-plugin.ts";
import { CNI_VERSIONS } from "../../../lib/cni/versions.ts";
import { removeUnusedPortmap } from "../../../lib/host/firewall-portmap-table.ts";
import { unpublishPorts, unpublishStalePorts } from "../../../lib/host/firewall-portmap-unpublish.ts";
import { VERSION } from "../../../lib/version.ts";
import { pluginIo } from "../../io.ts";
import { add } from "./add.ts";
import { check } from "./check.ts";
import { readPortmapConfig } from "./config.ts";
import { forgetFlows } from "./flows.ts";
import { withHost } from "./host.ts";

/** By the key alone: a configuration that has changed, or cannot be read any more, keeps nothing from going. */
function del({ key }: DelRequest): void {
  withHost((host) => forgetFlows(unpublishPorts(host.nft, key), host));
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

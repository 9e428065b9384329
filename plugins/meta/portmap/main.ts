/**
 * `fairlead-portmap`: publishes ports of a container on this host. Drop-in for the reference plugin `portmap`.
 *
 * Runs in a chain, behind the plugin that made the container's interface. It executes nothing, and keeps no files: all
 * that it knows is in the elements of nftables that it makes.
 *
 * Source: CNI SPEC 1.1.0; README of the reference plugin portmap.
 */
import type { PluginHandlers } from "../../../lib/cni/request.ts";
import { type PluginIo, runPlugin } from "../../../lib/cni/run-plugin.ts";
import { CNI_VERSIONS } from "../../../lib/cni/versions.ts";
import { VERSION } from "../../../lib/version.ts";
import { findRemains, removeReferenceRules } from "../../addresses/reference-remains.ts";
import { pluginIo } from "../../io.ts";
import { sparingOthers } from "../../other-managers.ts";
import { unpublish, unpublishStale } from "../../published-ports.ts";
import { add } from "./add.ts";
import { check } from "./check.ts";
import { readPortmapConfig } from "./config.ts";
import { withHost } from "./host.ts";
import { mend } from "./mend.ts";

const handlers: PluginHandlers = {
  add,
  /** By the key alone: a configuration that has changed, or cannot be read any more, keeps nothing from going. */
  del(request) {
    const { key } = request;
    withHost((host) => {
      unpublish(key, host);
      if (findRemains(request, key).length > 0) removeReferenceRules(request, key, host);
    });
  },
  check,
  gc(request) {
    withHost((host) => unpublishStale(sparingOthers(request), host));
  },
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
  return run(handlers, io);
}

/** Runs a CHECK that publishes what it finds missing. Returns the exit status. */
export function mendingMain(io: PluginIo): number {
  return run({ ...handlers, check: mend }, io);
}

function run(served: PluginHandlers, io: PluginIo): number {
  return runPlugin({
    name: "fairlead-portmap",
    version: VERSION,
    supportedVersions: CNI_VERSIONS,
    handlers: served,
    io,
  });
}

/**
 * `fairlead-bridge`: attaches a container to a bridge of the host. Drop-in for the reference plugin `bridge`.
 *
 * Unlike it, this plugin executes nothing: netlink and nftables are spoken here, addresses come from the IPAM service over its
 * socket, and only an `ipam.type` other than `fairlead-ipam` is delegated to.
 *
 * Source: CNI SPEC 1.1.0; README of the reference plugin bridge.
 */
import type { PluginHandlers } from "../../../lib/cni/request.ts";
import { type PluginIo, runPlugin } from "../../../lib/cni/run-plugin.ts";
import { CNI_VERSIONS } from "../../../lib/cni/versions.ts";
import { VERSION } from "../../../lib/version.ts";
import { bindIpam } from "../../addresses/ipam-binding.ts";
import { INTERFACE_ARG_KEYS } from "../../configuration/attachment-wishes.ts";
import { pluginIo, processExec } from "../../io.ts";
import { add } from "./add.ts";
import { check } from "./check.ts";
import { readBridge } from "./config.ts";
import { del } from "./del.ts";
import { gc } from "./gc.ts";
import { mend } from "./mend.ts";
import { requirePublishing } from "./ports.ts";

const handlers: PluginHandlers = {
  add,
  del,
  check,
  gc,
  status(request) {
    const { config, shared } = readBridge(request.config);
    requirePublishing(config);
    bindIpam(shared, { ...request, exec: processExec })?.status(request);
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

/** Runs a CHECK that mends what it finds missing on the host. Returns the exit status. */
export function mendingMain(io: PluginIo): number {
  return run({ ...handlers, check: mend }, io);
}

function run(served: PluginHandlers, io: PluginIo): number {
  return runPlugin({
    name: "fairlead-bridge",
    version: VERSION,
    supportedVersions: CNI_VERSIONS,
    argKeys: INTERFACE_ARG_KEYS,
    handlers: served,
    io,
  });
}

/**
 * `fairlead-static`: addresses that are named in the configuration or by whoever attaches. Drop-in for the reference plugin
 * `static`.
 *
 * Source: CNI SPEC 1.1.0, section 4 "Plugin Delegation"; README of the reference plugin static.
 */
import type { AttachmentRequest, PluginHandlers, PluginRequest } from "../../../lib/cni/request.ts";
import { requireRepresentable } from "../../../lib/cni/result.ts";
import { type PluginIo, runPlugin } from "../../../lib/cni/run-plugin.ts";
import { CNI_VERSIONS } from "../../../lib/cni/versions.ts";
import { VERSION } from "../../../lib/version.ts";
import { INTERFACE_ARG_KEYS } from "../../attachment-wishes.ts";
import { pluginIo, processExec } from "../../io.ts";
import { releaseAddresses } from "../../ipam-removal.ts";
import { checkStatic, type StaticSource, staticResult } from "../../static-ipam.ts";

function sourceOf(request: PluginRequest | AttachmentRequest): StaticSource {
  return { raw: request.config.raw, args: "args" in request ? request.args : new Map() };
}

const handlers: PluginHandlers = {
  add(request) {
    const result = staticResult(sourceOf(request));
    requireRepresentable(result.ips, request.config.cniVersion);
    return result;
  },
  // Nothing was kept, so there is nothing to give back, unless the addresses were from elsewhere before.
  del: (request) => releaseAddresses(request, processExec),
  check: (request) => checkStatic(sourceOf(request), request.prevResult),
  gc: () => undefined,
  status: (request) => void staticResult(sourceOf(request)),
};

/**
 * Runs one invocation.
 *
 * @returns the exit status of the process.
 */
export function main(io: PluginIo = pluginIo()): number {
  const supportedVersions = CNI_VERSIONS;
  return runPlugin({
    name: "fairlead-static",
    version: VERSION,
    supportedVersions,
    // Interface plugins hand their own CNI_ARGS on; what they understand must not be an error here.
    argKeys: INTERFACE_ARG_KEYS,
    handlers,
    io,
  });
}

/**
 * `fairlead-static`: addresses that are named in the configuration or by whoever attaches. Drop-in for the reference plugin
 * `static`.
 *
 * Source: CNI SPEC 1.1.0, section 4 "Plugin Delegation"; README of the reference plugin static.
 */
import type { AttachmentRequest, PluginHandlers, PluginRequest } from "../../../lib/cni/request.ts";
import { type Result, requireRepresentable } from "../../../lib/cni/result.ts";
import { type PluginIo, runPlugin } from "../../../lib/cni/run-plugin.ts";
import { CNI_VERSIONS } from "../../../lib/cni/versions.ts";
import { VERSION } from "../../../lib/version.ts";
import { releaseAddresses } from "../../addresses/ipam-removal.ts";
import { readAddressConfig } from "../../configuration/attachment.ts";
import { INTERFACE_ARG_KEYS } from "../../configuration/attachment-wishes.ts";
import { checkStatic, staticResult } from "../../configuration/static-ipam.ts";
import { pluginIo, processExec } from "../../io.ts";

function resultFor(request: PluginRequest | AttachmentRequest): Result {
  return staticResult(readAddressConfig(request.config), "args" in request ? request.args : new Map());
}

const handlers: PluginHandlers = {
  add(request) {
    const result = resultFor(request);
    requireRepresentable(result.ips, request.config.cniVersion);
    return result;
  },
  // Nothing was kept, so there is nothing to give back, unless the addresses were from elsewhere before.
  del: (request) => releaseAddresses(request, processExec),
  check: (request) => checkStatic(resultFor(request), request.prevResult),
  gc: () => undefined,
  status: (request) => void resultFor(request),
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

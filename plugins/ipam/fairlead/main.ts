/**
 * `fairlead-ipam`: the central service as a CNI IPAM plugin, for plugins that run their IPAM as a process.
 *
 * Source: CNI SPEC 1.1.0, section 4 "Plugin Delegation": an IPAM plugin answers ADD with an abbreviated result that
 * has no interfaces.
 */
import type { AttachmentRequest, PluginHandlers, PluginRequest } from "../../../lib/cni/request.ts";
import { requireRepresentable } from "../../../lib/cni/result.ts";
import { type PluginIo, runPlugin } from "../../../lib/cni/run-plugin.ts";
import { CNI_VERSIONS } from "../../../lib/cni/versions.ts";
import { VERSION } from "../../../lib/version.ts";
import type { CentralIpam } from "../../addresses/central-ipam.ts";
import { serviceOf } from "../../addresses/ipam-binding.ts";
import { collectFromService, releaseFromService } from "../../addresses/ipam-removal.ts";
import { readAddressConfig } from "../../configuration/attachment.ts";
import { IPAM_ARG_KEYS } from "../../configuration/ipam-config.ts";
import { pluginIo } from "../../io.ts";
import { sparingOthers } from "../../other-managers.ts";

/** The reference interface plugins hand their own CNI_ARGS on; what they understand must not be an error here. */
const ARG_KEYS = [...IPAM_ARG_KEYS, "MAC"];

function centralIpam(request: PluginRequest | AttachmentRequest): CentralIpam {
  return serviceOf(readAddressConfig(request.config), request);
}

const handlers: PluginHandlers = {
  add(request) {
    const pending = centralIpam(request).beginAcquire(request.key);
    request.undo.push("release addresses", pending.undo);
    const result = pending.finish();
    requireRepresentable(result.ips, request.config.cniVersion);
    return result;
  },
  del: (request) => releaseFromService(request),
  check: (request) => centralIpam(request).verify(request.key, request.prevResult),
  gc: (request) => collectFromService(sparingOthers(request)),
  status: (request) => centralIpam(request).requireReady(),
};

/**
 * Runs one invocation.
 *
 * @returns the exit status of the process.
 */
export function main(io: PluginIo = pluginIo()): number {
  const supportedVersions = CNI_VERSIONS;
  return runPlugin({
    name: "fairlead-ipam",
    version: VERSION,
    supportedVersions,
    argKeys: ARG_KEYS,
    handlers,
    io,
  });
}

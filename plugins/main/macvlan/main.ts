/**
 * `fairlead-macvlan`: gives a container an interface of its own on a link of the host, with a MAC of its own in the link's
 * network. Drop-in for the reference plugin `macvlan`.
 *
 * Unlike it, a failed ADD leaves nothing, IPAM's dns is kept, and IPv6 addresses are usable at once.
 *
 * Source: CNI SPEC 1.1.0; README of the reference plugin macvlan.
 */
import type { GcRequest, PluginHandlers, PluginRequest } from "../../../lib/cni/request.ts";
import { type PluginIo, runPlugin } from "../../../lib/cni/run-plugin.ts";
import { CNI_VERSIONS } from "../../../lib/cni/versions.ts";
import { asFairleadError, FairleadError } from "../../../lib/errors.ts";
import { NETLINK_ROUTE, openNetlinkSocket } from "../../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import { VERSION } from "../../../lib/version.ts";
import { bindIpam } from "../../addresses/ipam-binding.ts";
import { collectAddresses } from "../../addresses/ipam-removal.ts";
import { INTERFACE_ARG_KEYS } from "../../configuration/attachment-wishes.ts";
import { pluginIo, processExec } from "../../io.ts";
import { sparingOthers } from "../../other-managers.ts";
import { add } from "./add.ts";
import { check } from "./check.ts";
import { type MacvlanConfig, readMacvlan } from "./config.ts";
import { del } from "./del.ts";
import { requireMaster } from "./master.ts";

const handlers: PluginHandlers = { add, del, check, gc, status };

/** Links are in the containers, and go with them; what is kept elsewhere is the addresses. */
function gc(request: GcRequest): void {
  collectAddresses(sparingOthers(request), processExec, []);
}

function status(request: PluginRequest): void {
  const { config, shared } = readMacvlan(request.config);
  // There is no container yet that could be looked into.
  if (!config.linkInContainer) requireServingMaster(config);
  bindIpam(shared, { ...request, exec: processExec })?.status(request);
}

/** @throws FairleadError plugin-unavailable (CNI code 50) with the reason why an ADD would fail. */
function requireServingMaster(config: MacvlanConfig): void {
  const host = new NetlinkConnection(openNetlinkSocket(NETLINK_ROUTE));
  try {
    requireMaster(host, config);
  } catch (thrown) {
    const { operation, object, reason, hint } = asFairleadError(thrown, "find master");
    throw new FairleadError({
      code: "plugin-unavailable",
      operation,
      object,
      reason,
      hint,
      cause: thrown,
    });
  } finally {
    host.close();
  }
}

/**
 * Runs one invocation.
 *
 * @returns the exit status of the process.
 */
export function main(io: PluginIo = pluginIo()): number {
  return runPlugin({
    name: "fairlead-macvlan",
    version: VERSION,
    supportedVersions: CNI_VERSIONS,
    argKeys: INTERFACE_ARG_KEYS,
    handlers,
    io,
  });
}

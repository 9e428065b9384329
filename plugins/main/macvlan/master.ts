/** The link that a macvlan is on. */
import { configurationError } from "../../../lib/cni/config.ts";
import { FairleadError } from "../../../lib/errors.ts";
import { findDefaultRouteLink } from "../../../lib/host/addressing/routes.ts";
import { findLink, type LinkState } from "../../../lib/host/links.ts";
import type { NetlinkConnection } from "../../../lib/netlink/connection.ts";
import type { MacvlanConfig } from "./config.ts";

type MasterKeys = Pick<MacvlanConfig, "master" | "mtu">;

/**
 * The configured link, or that of the default route; null when there is none.
 *
 * @param connection to the netns that it is in.
 */
export function findMaster(
  connection: NetlinkConnection,
  { master }: Pick<MasterKeys, "master">,
): LinkState | null {
  const id = master === "" ? findDefaultRouteLink(connection) : master;
  return id === null ? null : findLink(connection, id);
}

/** @throws FairleadError not-found; invalid-config when it cannot carry the MTU. */
export function requireMaster(connection: NetlinkConnection, config: MasterKeys): LinkState {
  const master = findMaster(connection, config);
  if (master === null) throw missing(config.master);
  if (config.mtu === undefined || config.mtu <= master.mtu) return master;
  throw configurationError(
    "mtu",
    `it is ${config.mtu}, but ${master.ifname}, the master, has ${master.mtu}`,
    `set it to ${master.mtu} or less, or leave it out`,
  );
}

function missing(name: string): FairleadError {
  return new FairleadError({
    code: "not-found",
    operation: "find master",
    ...(name !== "" && { object: name }),
    reason: name === "" ? "no default route says which link it is" : "there is no such link",
    hint: `set "master" to a link that "ip link" lists`,
  });
}

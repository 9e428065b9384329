/** The way from the host to the container. */
import type { Address } from "../../../lib/addr/address.ts";
import type { PluginRequest } from "../../../lib/cni/request.ts";
import { findDirectLink } from "../../../lib/host/routes.ts";
import type { HostNetlink } from "../../workspace.ts";

/** The link of the host that leads to the container; null where it is not reached directly. */
export function findLinkTo(
  addresses: readonly Address[],
  { log }: Pick<PluginRequest, "log">,
  host: HostNetlink,
): string | null {
  for (const address of addresses) {
    const link = findDirectLink(host.route, address);
    if (link !== null) return link.ifname;
  }
  log(
    "no link of this host leads straight to the container: its published ports do not answer to this host itself",
  );
  return null;
}

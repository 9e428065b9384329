/** CHECK: every port leads to the container, by the rules that ADD made. */
import type { CheckRequest } from "../../../lib/cni/request.ts";
import { checkPublishedPorts } from "../../../lib/host/firewall-portmap-check.ts";
import { checkLoopbackRouting } from "../../../lib/host/settings.ts";
import { readPortmapConfig } from "./config.ts";
import { withHost } from "./host.ts";
import { findLinkTo } from "./link.ts";
import { containerAddresses, planPorts, readMappings } from "./plan.ts";

export function check(request: CheckRequest): void {
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

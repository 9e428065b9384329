/** Which name servers a sandbox's resolv.conf has. */
import { isObject } from "../../../lib/cni/json.ts";
import type { HostResolver } from "../../../lib/host/host-resolver.ts";
import { type CachedAttachment, resultOf } from "../../../lib/runtime/cache.ts";
import { tryParseContainerUpstream } from "../../../lib/runtime/container-upstreams.ts";
import { WordedError } from "../../base/worded-error.ts";

/** What a sandbox's record says of name servers. */
interface NamedServers {
  readonly nameservers: readonly string[];
}

const DNS_PORT = 53;
/** Plugins whose networks have their gateway on the host. */
const BRIDGES: readonly string[] = ["fairlead-bridge", "bridge"];
const OUR_IPAM = "fairlead-ipam";

/**
 * The networks', else the host's. Those that the user named take the place of all others but ours: we ask them for this
 * sandbox, so that it finds the names of its networks, too.
 */
export function nameserversOf(
  record: NamedServers,
  attachments: readonly CachedAttachment[],
  host: HostResolver,
): readonly string[] {
  const named = record.nameservers;
  const networks = attachments.flatMap((one) => (named.length > 0 ? servedBy(one) : allOf(one)));
  if (networks.length > 0) return networks;
  return named.length > 0 ? directServers(record) : host.nameservers;
}

/** A resolv.conf names no ports. Source: resolv.conf(5). */
function directServers({ nameservers }: NamedServers): string[] {
  const servers = nameservers.flatMap((text) => tryParseContainerUpstream(text) ?? []);
  return servers.filter(({ port }) => port === DNS_PORT).map(({ address }) => address);
}

/**
 * In the sandbox's resolv.conf a server on another port than 53 cannot be; where a network serves names it need not be.
 * @throws WordedError
 */
export function requireUsableServers(record: NamedServers, attachments: readonly CachedAttachment[]): void {
  const { nameservers } = record;
  if (directServers(record).length === nameservers.length) return;
  if (attachments.some((one) => servedBy(one).length > 0)) return;
  throw new WordedError(
    "invalid-config",
    `--dns ${nameservers.join(", ")}: a server on another port than 53 needs a network that serves names`,
  );
}

function allOf(attachment: CachedAttachment): readonly string[] {
  return resultOf(attachment)?.dns?.nameservers ?? [];
}

/** Those at which the agent answers: gateways, on this host, of networks whose addresses are the service's. */
function servedBy(attachment: CachedAttachment): readonly string[] {
  const isOurs = attachment.conflist.plugins.some(
    ({ type, raw: { ipam } }) => BRIDGES.includes(type) && isObject(ipam) && ipam["type"] === OUR_IPAM,
  );
  const gateways = new Set((resultOf(attachment)?.ips ?? []).map(({ gateway }) => gateway));
  return isOurs ? allOf(attachment).filter((address) => gateways.has(address)) : [];
}

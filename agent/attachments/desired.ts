/**
 * What an attachment should have on the host, read from the entry that its runtime cached at ADD. Pure.
 *
 * Only attachments whose link `fairlead-bridge` made: others have no link that says whose it is.
 */
import { tryParseAddress } from "../../lib/addr/address.ts";
import { parseInterfaceAddress } from "../../lib/addr/prefix.ts";
import { flag, integer, object, type Read, readFields, TOP, text } from "../../lib/cni/fields.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import { formatResult, type Result } from "../../lib/cni/result.ts";
import { RUNTIME_CONFIG } from "../../lib/cni/sections.ts";
import { type AttachmentName, aliasOf, hostIfnameOf } from "../../lib/host/attachment/alias.ts";
import { type CachedAttachment, resultOf } from "../../lib/runtime/cache.ts";
import type { PluginConfig } from "../../lib/runtime/conflist.ts";
import { cniVariables, requestConfiguration } from "../../lib/runtime/request-configuration.ts";

/** One call of a plugin that mends, as `plugins/run/mender.ts` takes it. */
export interface MendRequest {
  readonly plugin: string;
  readonly env: Readonly<Record<string, string>>;
  /** JSON text. */
  readonly config: string;
}

/** A port of the host that leads to the container. */
export interface DesiredPort {
  readonly protocol: string;
  readonly family: 4 | 6;
  readonly hostPort: number;
}

export interface DesiredAttachment {
  readonly key: AttachmentName;
  /** Path, as the runtime knew it. */
  readonly netns: string;
  readonly hostIfname: string;
  readonly alias: string;
  readonly bridge: string;
  readonly hairpin: boolean;
  readonly isolated: boolean;
  /** Bytes; null: whatever it has. */
  readonly mtu: number | null;
  readonly masquerades: boolean;
  readonly checksSources: boolean;
  readonly ports: readonly DesiredPort[];
  /** Without prefix length, of its own interface. */
  readonly addresses: readonly string[];
  /** The gateway, where the container was told to ask it for names; null: it asks somebody else. */
  readonly nameServer: string | null;
  /** Whether the service must know of it: its addresses are leases. */
  readonly isLeased: boolean;
  readonly requests: readonly MendRequest[];
}

const BRIDGE = "fairlead-bridge";
const PORTMAP = "fairlead-portmap";
/** The mender is asked in the newest version, whatever the conflist's: it is our own. */
const CNI_VERSION = "1.1.0";

/** Those of `fairlead-bridge` that show on the host. */
const FIELDS = {
  bridge: text("cni0"),
  hairpinMode: flag(),
  portIsolation: flag(),
  mtu: integer(),
  ipMasq: flag(),
  sourceCheck: flag(),
  publishPorts: flag(),
  hostBinding: text(),
  ipam: object({ type: text() }),
  runtimeConfig: RUNTIME_CONFIG,
};
type Fields = Read<typeof FIELDS>;

/** Null for an entry without a result, and for an attachment whose link something else made. */
export function desiredOf(entry: CachedAttachment): DesiredAttachment | null {
  const plugin = entry.conflist.plugins.find(({ type }) => type === BRIDGE);
  const result = plugin ? resultOf(entry) : null;
  const hostIfname = hostIfnameOf(entry);
  if (!plugin || !result?.interfaces.some(({ name, sandbox }) => name === hostIfname && !sandbox))
    return null;
  const fields = readFields(FIELDS, plugin.raw, TOP);
  const addresses = addressesOf(result, entry.ifname);
  const { networkName, containerId, ifname } = entry;
  return {
    key: { networkName, containerId, ifname },
    netns: entry.netns,
    hostIfname,
    alias: aliasOf(entry),
    bridge: fields.bridge,
    hairpin: fields.hairpinMode,
    isolated: fields.portIsolation,
    mtu: fields.mtu || null,
    masquerades: fields.ipMasq && addresses.length > 0,
    checksSources: fields.sourceCheck && addresses.length > 0,
    ports: portsOf(entry, plugin, { fields, addresses }),
    addresses,
    nameServer:
      result.dns.nameservers.find((one) => result.ips.some(({ gateway }) => gateway === one)) ?? null,
    isLeased: fields.ipam.type === "fairlead-ipam",
    requests: requestsOf(entry, result),
  };
}

function addressesOf({ interfaces, ips }: Result, ifname: string): string[] {
  const own = ips.filter((ip) => {
    const link = ip.interface === undefined ? undefined : interfaces[ip.interface];
    return link === undefined || (Boolean(link.sandbox) && link.name === ifname);
  });
  return own.map(({ address }) => address.split("/")[0] ?? "");
}

interface Published {
  readonly fields: Fields;
  readonly addresses: readonly string[];
}

/** One for each family that the mapping and the container have in common, as the plugin publishes them. */
function portsOf(
  { conflist, capabilityArgs = {} }: CachedAttachment,
  bridge: PluginConfig,
  { fields, addresses }: Published,
): DesiredPort[] {
  const publisher = fields.publishPorts ? bridge : conflist.plugins.find(({ type }) => type === PORTMAP);
  if (!publisher?.capabilities.includes("portMappings")) return [];
  const { runtimeConfig, hostBinding } = readFields(
    FIELDS,
    { ...publisher.raw, runtimeConfig: capabilityArgs } as JsonObject,
    TOP,
  );
  const families = new Set(addresses.map((address) => parseInterfaceAddress(`${address}/0`).address.family));
  return runtimeConfig.portMappings.flatMap(({ hostPort, protocol, hostIP, range }) => {
    const bound = tryParseAddress(hostIP === "" ? hostBinding : hostIP)?.family;
    const wanted = ([4, 6] as const).filter((family) => families.has(family) && (bound ?? family) === family);
    const numbers =
      hostPort === 0 ? [] : Array.from({ length: Math.max(1, range) }, (_, at) => hostPort + at);
    const named = protocol === "" ? "tcp" : protocol.toLowerCase();
    return wanted.flatMap((family) =>
      numbers.map((number) => ({ protocol: named, family, hostPort: number })),
    );
  });
}

/** A CHECK of each plugin that mends, in the order of the chain. */
function requestsOf(entry: CachedAttachment, result: Result): MendRequest[] {
  const conflist = { ...entry.conflist, cniVersion: CNI_VERSION } as const;
  const prevResult = formatResult(result, CNI_VERSION);
  return entry.conflist.plugins
    .filter(({ type }) => type === BRIDGE || type === PORTMAP)
    .map((plugin) => ({
      plugin: plugin.type,
      env: cniVariables("CHECK", [], entry),
      config: new TextDecoder().decode(
        requestConfiguration(conflist, plugin, { attachment: entry, prevResult }),
      ),
    }));
}

/** What one ADD is going to publish, decided before anything is touched: for every plugin that publishes ports. */
import { type Address, formatAddress, tryParseAddress } from "../../lib/addr/address.ts";
import { parseInterfaceAddress } from "../../lib/addr/prefix.ts";
import { checkedText, type Field } from "../../lib/cni/fields.ts";
import type { Result } from "../../lib/cni/result.ts";
import type { PortMapping } from "../../lib/cni/sections.ts";
import { FairleadError } from "../../lib/errors.ts";
import { formatHostPort, PORT_PROTOCOLS, type PortProtocol } from "../../lib/host/firewall/ports/holder.ts";
import type { PublishedPort } from "../../lib/host/firewall/ports/plan.ts";

const LAST_PORT = 65535;
/** Ports that one attachment may publish; one transaction has to hold them all. */
const MOST_PORTS = 4096;

/** The key `hostBinding`, ours: the address of this host that mappings without one are published on. Empty: every one. */
export const HOST_BINDING: Field<string> = checkedText("an address of this host like 192.0.2.1", (value) =>
  value === "" || tryParseAddress(value) !== null ? null : "it is not an IP address",
);

/** A mapping that is asked for, checked. */
export interface Mapping {
  readonly protocol: PortProtocol;
  /** Null: every address. */
  readonly hostAddress: Address | null;
  readonly hostPort: number;
  readonly containerPort: number;
  /** How many ports in a row, from both on. */
  readonly count: number;
}

/** The mappings of a request that ask for something: a hostPort of 0 publishes nothing. */
export function readMappings(portMappings: readonly PortMapping[], hostBinding: Address | null): Mapping[] {
  return portMappings
    .map((mapping, index) => ({ mapping, path: `runtimeConfig.portMappings[${index}]` }))
    .filter(({ mapping }) => mapping.hostPort !== 0)
    .map(({ mapping, path }) => readMapping(mapping, path, hostBinding));
}

function readMapping(mapping: PortMapping, path: string, hostBinding: Address | null): Mapping {
  const { hostPort, containerPort, hostIP } = mapping;
  const count = Math.max(1, mapping.range);
  if (Math.max(hostPort, containerPort) + count - 1 > LAST_PORT) {
    throw invalid(
      `${path}.range`,
      `${count} ports from ${hostPort} and ${containerPort} on end beyond ${LAST_PORT}`,
    );
  }
  const hostAddress = hostIP === "" ? hostBinding : tryParseAddress(hostIP);
  if (hostIP !== "" && hostAddress === null) {
    throw invalid(`${path}.hostIP`, `${JSON.stringify(hostIP)} is no IP address`);
  }
  if (hostAddress !== null && isLoopback6(hostAddress)) throw unanswered(path);
  return { protocol: readProtocol(mapping.protocol, path), hostAddress, hostPort, containerPort, count };
}

function isLoopback6({ family, value }: Address): boolean {
  return family === 6 && value === 1n;
}

/** Linux takes no answer to ::1 from any link but the loopback: the port would look published, and answer nobody. */
function unanswered(path: string): FairleadError {
  return new FairleadError({
    code: "unsupported-field",
    operation: "read network configuration",
    object: `${path}.hostIP`,
    reason: "a port of ::1 cannot lead to a container",
    hint: "use 127.0.0.1, or an IPv6 address of this host's links",
  });
}

function readProtocol(value: string, path: string): PortProtocol {
  const wanted = value === "" ? "tcp" : value.toLowerCase();
  const protocol = PORT_PROTOCOLS.find((name) => name === wanted);
  if (protocol !== undefined) return protocol;
  throw new FairleadError({
    code: "unsupported-field",
    operation: "read network configuration",
    object: `${path}.protocol`,
    reason: `it is ${JSON.stringify(value)}, which has no ports that could be published`,
    hint: `use one of ${PORT_PROTOCOLS.join(", ")}`,
  });
}

/** The container's first address of each family: on its own interface, where the result says which that is. */
export function containerAddresses({ interfaces, ips }: Result, ifname: string): Address[] {
  const own = ips.filter((ip) => {
    const link = ip.interface === undefined ? undefined : interfaces[ip.interface];
    return link === undefined || (Boolean(link.sandbox) && link.name === ifname);
  });
  const addresses = own.map((ip) => parseInterfaceAddress(ip.address).address);
  return ([4, 6] as const).flatMap((family) => addresses.find((address) => address.family === family) ?? []);
}

/**
 * The ports that the mappings come to, for a container with these addresses: one for each family that both have.
 *
 * @throws FairleadError invalid-config when a mapping comes to nothing, or two ask for one port; unsupported-field for too
 *   many ports.
 */
export function planPorts(mappings: readonly Mapping[], addresses: readonly Address[]): PublishedPort[] {
  const byText = new Map<string, PublishedPort>();
  for (const port of mappings.flatMap((mapping) => portsOf(mapping, addresses))) {
    const text = formatHostPort(port);
    const other = byText.get(text);
    if (other && !leadsToSame(other, port)) {
      throw invalid("runtimeConfig.portMappings", `${text} is to lead to two ports of the container`);
    }
    byText.set(text, port);
    if (byText.size > MOST_PORTS) throw tooMany();
  }
  return [...byText.values()];
}

function leadsToSame(a: PublishedPort, b: PublishedPort): boolean {
  return a.containerPort === b.containerPort && a.containerAddress.value === b.containerAddress.value;
}

function portsOf(mapping: Mapping, addresses: readonly Address[]): PublishedPort[] {
  const { hostAddress, protocol, hostPort, containerPort, count } = mapping;
  const targets = addresses.filter(({ family }) => hostAddress === null || hostAddress.family === family);
  if (targets.length === 0) throw unreachable(mapping);
  const offsets = Array.from({ length: count }, (_, offset) => offset);
  return targets.flatMap((containerAddress) =>
    offsets.map((offset) => ({
      protocol,
      hostAddress: hostAddress ?? { family: containerAddress.family, value: 0n },
      hostPort: hostPort + offset,
      containerAddress,
      containerPort: containerPort + offset,
    })),
  );
}

function unreachable({ hostAddress, protocol, hostPort }: Mapping): FairleadError {
  const family = hostAddress === null ? "" : `IPv${hostAddress.family} `;
  const on = hostAddress === null ? "" : ` on ${formatAddress(hostAddress)}`;
  return invalid(
    "runtimeConfig.portMappings",
    `${protocol} port ${hostPort}${on} would lead nowhere: the container has no ${family}address`,
  );
}

function tooMany(): FairleadError {
  return new FairleadError({
    code: "unsupported-field",
    operation: "read network configuration",
    object: "runtimeConfig.portMappings",
    reason: `it asks for more than ${MOST_PORTS} ports`,
    hint: "publish fewer ports, or give the container an address that is reached from outside (macvlan)",
  });
}

function invalid(object: string, reason: string): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: "read network configuration",
    object,
    reason,
  });
}

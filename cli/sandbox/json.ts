/** A sandbox in the shape of `--json`: that of all commands, where `inspect` without it has Docker's. Pure. */
import type { ResultCache } from "../../lib/runtime/cache.ts";
import { type InspectedNetwork, inspectSandbox } from "./inspect.ts";
import { type PublishedPort, publishedPorts } from "./ports/ports.ts";
import type { ContainerPort } from "./ports/publish.ts";
import type { SandboxRecord } from "./registry.ts";

export interface SandboxJson {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  readonly state: "ready" | "gone";
  readonly mode: SandboxRecord["mode"];
  readonly netns: string;
  readonly hostname: string;
  readonly nameservers: readonly string[];
  readonly exposedPorts: readonly ContainerPort[];
  readonly ports: readonly PublishedPort[];
  readonly networks: readonly NetworkJson[];
}

interface NetworkJson {
  readonly name: string;
  readonly ifname: string;
  readonly mac: string;
  /** With prefix length. */
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
}

export function sandboxJson(cache: ResultCache, record: SandboxRecord): SandboxJson {
  const { State, Networks } = inspectSandbox(cache, record);
  const { id, name, createdAt, mode, netns, hostname, nameservers, exposedPorts = [] } = record;
  return {
    id,
    name,
    createdAt,
    state: State,
    mode,
    netns,
    hostname,
    nameservers,
    exposedPorts,
    ports: publishedPorts(cache.list(id)),
    networks: Object.entries(Networks).map(([network, facts]) => networkJson(network, facts)),
  };
}

function networkJson(name: string, facts: InspectedNetwork): NetworkJson {
  const addresses = [
    [facts.IPAddress, facts.IPPrefixLen],
    [facts.GlobalIPv6Address, facts.GlobalIPv6PrefixLen],
  ];
  return {
    name,
    ifname: facts.Interface,
    mac: facts.MacAddress,
    addresses: addresses
      .filter(([address]) => address !== "")
      .map(([address, length]) => `${address}/${length}`),
    gateways: [facts.Gateway, facts.IPv6Gateway].filter((gateway) => gateway !== ""),
  };
}

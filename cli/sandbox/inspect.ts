/** A sandbox as `ls` and `inspect` show it, in Docker's words where Docker has them. */
import { type CachedAttachment, type ResultCache, resultOf } from "../../lib/runtime/cache.ts";
import { portsObject, publishedPorts } from "./ports/ports.ts";
import type { SandboxRecord } from "./registry.ts";
import { sandboxContainer } from "./source.ts";

export interface InspectedNetwork {
  readonly Interface: string;
  readonly MacAddress: string;
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly GlobalIPv6PrefixLen: number;
  readonly IPv6Gateway: string;
}

export interface InspectedSandbox {
  readonly Id: string;
  readonly Name: string;
  readonly Created: string;
  /** "gone": the network namespace was removed, or the machine was started anew. */
  readonly State: "ready" | "gone";
  readonly NetworkMode: SandboxRecord["mode"];
  /** Path of the network namespace; empty for one in the host's. */
  readonly SandboxKey: string;
  readonly Hostname: string;
  readonly Dns: readonly string[];
  /** By `80/tcp`: where the host has it; null for a port that is exposed only. */
  readonly Ports: ReturnType<typeof portsObject>;
  readonly Networks: Readonly<Record<string, InspectedNetwork>>;
}

export function inspectSandbox(cache: ResultCache, record: SandboxRecord): InspectedSandbox {
  const { id, name, createdAt, mode, netns, hostname, nameservers, exposedPorts = [] } = record;
  const alive = mode === "host" || sandboxContainer(record).netns !== null;
  const attachments = cache.list(id);
  const networks = attachments.map((entry) => [entry.networkName, inspectNetwork(entry)] as const);
  return {
    Id: id,
    Name: name,
    Created: createdAt,
    State: alive ? "ready" : "gone",
    NetworkMode: mode,
    SandboxKey: netns,
    Hostname: hostname,
    Dns: nameservers,
    Ports: portsObject(publishedPorts(attachments), exposedPorts),
    Networks: Object.fromEntries(networks),
  };
}

function inspectNetwork(entry: CachedAttachment): InspectedNetwork {
  const result = resultOf(entry);
  const ipv4 = result?.ips.find(({ address }) => !address.includes(":"));
  const ipv6 = result?.ips.find(({ address }) => address.includes(":"));
  const [address4, length4] = splitLength(ipv4?.address);
  const [address6, length6] = splitLength(ipv6?.address);
  return {
    Interface: entry.ifname,
    MacAddress: result?.interfaces.find(({ sandbox, name }) => sandbox && name === entry.ifname)?.mac ?? "",
    IPAddress: address4,
    IPPrefixLen: length4,
    Gateway: ipv4?.gateway ?? "",
    GlobalIPv6Address: address6,
    GlobalIPv6PrefixLen: length6,
    IPv6Gateway: ipv6?.gateway ?? "",
  };
}

function splitLength(text = ""): [string, number] {
  const [address = "", length = "0"] = text.split("/");
  return [address, Number(length)];
}

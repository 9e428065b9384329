/** The ports that a sandbox has published, as its attachments say, in the forms in which Docker shows them. Pure. */
import { isObject, type Json } from "../../../lib/cni/json.ts";
import { type CachedAttachment, resultOf } from "../../../lib/runtime/cache.ts";
import type { ContainerPort } from "./publish.ts";

export interface PublishedPort {
  readonly containerPort: number;
  readonly protocol: string;
  /** An address of the host; 0.0.0.0 or ::, every one of its family. */
  readonly hostAddress: string;
  readonly hostPort: number;
}

/** By container port, then by protocol and host. */
export function publishedPorts(attachments: readonly CachedAttachment[]): PublishedPort[] {
  return attachments.flatMap(portsOf).sort(byPort);
}

function portsOf(attachment: CachedAttachment): PublishedPort[] {
  const mappings = attachment.capabilityArgs?.["portMappings"];
  if (!Array.isArray(mappings)) return [];
  return mappings.filter(isObject).flatMap((mapping) =>
    hostAddressesOf(attachment, mapping["hostIP"]).map((hostAddress) => ({
      containerPort: Number(mapping["containerPort"]),
      protocol: String(mapping["protocol"] ?? "tcp"),
      hostAddress,
      hostPort: Number(mapping["hostPort"]),
    })),
  );
}

/** What was asked for, else the address of the network's ports, else every one of the families that the container has. */
function hostAddressesOf(attachment: CachedAttachment, hostIP: Json | undefined): string[] {
  const binding = attachment.conflist.plugins.find(({ raw }) => raw["hostBinding"])?.raw["hostBinding"];
  const named = [hostIP, binding].find((text) => typeof text === "string" && text !== "");
  if (named !== undefined) return [String(named)];
  const addresses = (resultOf(attachment)?.ips ?? []).map(({ address }) => address);
  const has6 = addresses.some((address) => address.includes(":"));
  const has4 = addresses.some((address) => !address.includes(":"));
  return [...(has4 ? ["0.0.0.0"] : []), ...(has6 ? ["::"] : [])];
}

function byPort(a: PublishedPort, b: PublishedPort): number {
  if (a.containerPort !== b.containerPort) return a.containerPort - b.containerPort;
  const [left, right] = [`${a.protocol} ${a.hostAddress}`, `${b.protocol} ${b.hostAddress}`];
  return left === right ? a.hostPort - b.hostPort : left < right ? -1 : 1;
}

/** `0.0.0.0:8080`, `[::]:8080` */
export function formatHost({ hostAddress, hostPort }: PublishedPort): string {
  return `${authority(hostAddress)}:${hostPort}`;
}

function authority(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

/** Docker's Ports: by `80/tcp` what the host has; null for a port that is exposed only. */
export function portsObject(
  ports: readonly PublishedPort[],
  exposed: readonly ContainerPort[],
): Record<string, { HostIp: string; HostPort: string }[] | null> {
  const keys = [...exposed, ...ports].map(({ containerPort, protocol }) => `${containerPort}/${protocol}`);
  const all = keys.map((key): [string, { HostIp: string; HostPort: string }[] | null] => {
    const own = ports.filter(({ containerPort, protocol }) => `${containerPort}/${protocol}` === key);
    const shown = own.map(({ hostAddress, hostPort }) => ({
      HostIp: hostAddress,
      HostPort: String(hostPort),
    }));
    return [key, shown.length === 0 ? null : shown];
  });
  return Object.fromEntries(all.sort(([a], [b]) => Number.parseInt(a, 10) - Number.parseInt(b, 10)));
}

/** As `docker ps` has them: `0.0.0.0:8080-8081->80-81/tcp`, ports in a row as a range; `90/tcp` for one that is exposed only. */
export function formatPorts(
  ports: readonly PublishedPort[],
  exposed: readonly ContainerPort[] = [],
): string[] {
  const open = exposed.filter((one) => !ports.some((port) => isSame(port, one)));
  return [
    ...runsOf(ports).map(formatRun),
    ...open.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`),
  ];
}

function isSame(a: ContainerPort | PublishedPort, b: ContainerPort): boolean {
  return a.containerPort === b.containerPort && a.protocol === b.protocol;
}

interface Run {
  readonly first: PublishedPort;
  count: number;
}

function runsOf(ports: readonly PublishedPort[]): Run[] {
  const runs: Run[] = [];
  for (const port of ports) {
    const run = runs.find((one) => continues(one, port));
    if (run === undefined) runs.push({ first: port, count: 1 });
    else run.count += 1;
  }
  return runs;
}

function continues({ first, count }: Run, port: PublishedPort): boolean {
  return (
    port.protocol === first.protocol &&
    port.hostAddress === first.hostAddress &&
    port.hostPort === first.hostPort + count &&
    port.containerPort === first.containerPort + count
  );
}

function formatRun({ first, count }: Run): string {
  const { hostAddress, hostPort, containerPort, protocol } = first;
  const range = (from: number): string => (count === 1 ? String(from) : `${from}-${from + count - 1}`);
  return `${authority(hostAddress)}:${range(hostPort)}->${range(containerPort)}/${protocol}`;
}

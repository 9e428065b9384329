/** Ports that attachments publish, for tests of what nftables has of them. */
import { parseAddress } from "../../../lib/addr/address.ts";
import type { PublishedPort } from "../../../lib/host/firewall/ports/plan.ts";
import type { PublishSpec } from "../../../lib/host/firewall/ports/publish.ts";
import type { NftNetns } from "./nftables-netns.ts";

const V4 = parseAddress("10.1.0.2");
const V6 = parseAddress("fd00:1::2");

export function port(
  protocol: PublishedPort["protocol"],
  host: string,
  { from: hostPort, to: containerPort }: { from: number; to: number },
): PublishedPort {
  const hostAddress = parseAddress(host);
  return {
    protocol,
    hostAddress,
    hostPort,
    containerAddress: hostAddress.family === 4 ? V4 : V6,
    containerPort,
  };
}

export const TCP_PORTS = [
  port("tcp", "0.0.0.0", { from: 8080, to: 80 }),
  port("tcp", "::", { from: 8080, to: 80 }),
];

export function spec(containerId: string, ports: readonly PublishedPort[], networkName = "web"): PublishSpec {
  const holder = { networkName, containerId, ifname: "eth0" };
  return { holder, ports, link: "cni0", masqueradeAll: false };
}

export const C1 = spec("c1", [...TCP_PORTS, port("udp", "198.51.100.2", { from: 53, to: 5353 })]);

interface Named {
  readonly name: string;
  readonly elem?: unknown[];
}

/** Elements as nft lists them, one a line. */
export function elements(host: NftNetns, name: string): string[] {
  const { nftables } = JSON.parse(host.exec("nft", "--json", "list", "ruleset"));
  const found = nftables.find((one: { map?: Named; set?: Named }) => (one.map ?? one.set)?.name === name);
  return ((found?.map ?? found?.set)?.elem ?? []).map((one: unknown) => JSON.stringify(one));
}

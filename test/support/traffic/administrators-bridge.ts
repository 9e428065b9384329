/** A bridge that the administrator of a lab's host made, with a gateway's netns on it; and all that is the bridge's own. */
import type { Lab } from "../lab/lab.ts";
import { command } from "../lab/lab-process.ts";

/** MAC address of the bridge's port, which a bridge without one of its own takes. */
export const LAN_MAC = "02:00:00:00:00:99";
export const LAN_GATEWAY = "192.168.1.1";
export const LAN_HOST = "192.168.1.2";
/** An address of the gateway that is reached only by way of it. */
export const BEHIND_LAN = "203.0.113.1";

/** Makes the bridge; its one port is `<bridge>p`. Returns the path of the gateway's netns. */
export async function makeLan(lab: Lab, bridge: string, mtu = 1500): Promise<string> {
  const name = `${lab.hostNetns}-${bridge}`;
  const gateway = await lab.addNetns(name);
  const port = `${bridge}p`;
  const size = ["mtu", String(mtu)];
  await lab.host(["ip", "link", "add", bridge, "type", "bridge"]);
  const peer = ["type", "veth", "peer", "name", "lan0", ...size, "netns", name];
  await lab.host(["ip", "link", "add", port, ...size, "address", LAN_MAC, "master", bridge, ...peer]);
  for (const link of [port, bridge]) await lab.host(["ip", "link", "set", link, "up"]);
  await lab.host(["ip", "addr", "add", `${LAN_HOST}/24`, "dev", bridge]);
  await command(["ip", "-n", name, "link", "set", "lan0", "up"]);
  for (const address of [`${LAN_GATEWAY}/24`, `${BEHIND_LAN}/32`]) {
    await command(["ip", "-n", name, "addr", "add", address, "dev", "lan0"]);
  }
  return gateway;
}

interface ShownBridge {
  readonly flags: readonly string[];
  readonly address: string;
  readonly mtu: number;
  readonly ifalias?: string;
  readonly linkinfo: { readonly info_data: Readonly<Record<string, unknown>> };
  readonly addr_info: readonly {
    readonly local: string;
    readonly prefixlen: number;
    readonly scope: string;
  }[];
}

/** What of the bridge changes by itself as time goes by, or says again what its MAC address says. */
const BY_ITSELF = /timer|root_|bridge_id|designated/;

/** All that is the bridge's own, and the host's rules and forwarding. */
export async function bridgeState(lab: Lab, bridge: string): Promise<Readonly<Record<string, unknown>>> {
  const [link] = JSON.parse(
    await lab.host(["ip", "-j", "-d", "addr", "show", "dev", bridge]),
  ) as ShownBridge[];
  if (link === undefined) throw new Error(`no link ${bridge}`);
  const { flags, address, mtu, ifalias, linkinfo, addr_info } = link;
  return {
    ...{ flags, address, mtu, ifalias },
    settings: Object.entries(linkinfo.info_data).filter(([key]) => !BY_ITSELF.test(key)),
    addresses: addr_info
      .filter(({ scope }) => scope === "global")
      .map((each) => `${each.local}/${each.prefixlen}`),
    rules: await lab.host(["nft", "-s", "list", "ruleset"]),
    forwarding: await lab.host(["sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]),
  };
}

/** Names of the links that are ports of a bridge, sorted. */
export async function bridgePorts(lab: Lab, bridge: string): Promise<string[]> {
  const text = await lab.host(["ip", "-j", "link", "show", "master", bridge]);
  const shown = (text.trim() === "" ? [] : JSON.parse(text)) as { ifname?: string }[];
  return shown.flatMap(({ ifname }) => ifname ?? []).sort();
}

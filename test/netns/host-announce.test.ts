import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { parseInterfaceAddress } from "../../lib/addr/prefix.ts";
import { announceAddresses, announceWhenUp } from "../../lib/host/addressing/announce.ts";
import { configureContainerLink } from "../../lib/host/attachment/container-end.ts";
import { ensureBridge } from "../../lib/host/bridge/verbs.ts";
import { createVethInto } from "../../lib/host/veth.ts";
import { openNetns, withNetns } from "../../lib/linux/namespaces/netns.ts";
import {
  NETLINK_ROUTE,
  openNetlinkSocket,
  openNetlinkSocketIn,
} from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection, type NetlinkTransport } from "../../lib/netlink/connection.ts";
import { TestNetns } from "../support/kernel/netns.ts";
import { waitUntil } from "../support/lab/lab-process.ts";
import { ANNOUNCEMENT_SNIFFER } from "../support/traffic/announcements.ts";

const MAC = "02:00:00:00:0c:01";

const fail = (message: string) => {
  throw new Error(message);
};

test("the announcement passes the bridge and names the container's MAC, in both families", async () => {
  const [host, container] = [new TestNetns("fl-ann-h"), new TestNetns("fl-ann-c")];
  const [hostNetns, netns] = [openNetns(host.path), openNetns(container.path)];
  const hostConnection = new NetlinkConnection(openNetlinkSocketIn(hostNetns, NETLINK_ROUTE));
  let sniffer: ChildProcess | undefined;
  try {
    const { link } = ensureBridge(hostConnection, { name: "br0", mac: () => "02:00:00:00:00:01" });
    const pair = createVethInto(hostConnection, {
      hostIfname: "flv0",
      containerIfname: "eth0",
      netns,
      masterIfindex: link.ifindex,
      containerMac: MAC,
    });
    const command = [`--net=${host.path}`, "python3", "-c", ANNOUNCEMENT_SNIFFER, "br0"];
    sniffer = spawn("nsenter", command, { stdio: ["ignore", "pipe", "inherit"] });
    let seen = "";
    sniffer.stdout?.on("data", (data) => {
      seen += data;
    });
    if (sniffer.stdout) await once(sniffer.stdout, "data");
    const containerConnection = new NetlinkConnection(
      withNetns<NetlinkTransport>(netns, () => {
        for (const family of [4, 6] as const) announceWhenUp("eth0", family, fail);
        return openNetlinkSocket(NETLINK_ROUTE);
      }),
    );
    const containerLink = configureContainerLink(containerConnection, {
      ifindex: pair.containerIfindex,
      addresses: ["10.1.0.2/16", "fd00:1::2/64"].map(parseInterfaceAddress),
      routes: [],
    });
    const announced = announceAddresses({
      host: hostConnection,
      hostIfindex: pair.host.ifindex,
      container: containerConnection,
      containerLink,
    });
    containerConnection.close();
    expect(announced).toBe(true);
    const isDone = () => seen.includes(`arp ${MAC} 10.1.0.2\n`) && seen.includes("na fd00:1::2\n");
    await waitUntil(async () => isDone(), 20_000);
    expect(seen).toContain(`arp ${MAC} 10.1.0.2\n`);
    expect(seen).toContain("na fd00:1::2\n");
  } finally {
    sniffer?.kill();
    hostConnection.close();
    netns.close();
    hostNetns.close();
    host.close();
    container.close();
  }
});

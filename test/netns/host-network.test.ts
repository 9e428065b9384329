/** What a network has on a host, by the verbs that plugin and agent share, looked at with `ip` and `nft`. Needs root. */

import { parseAddress } from "../../lib/addr/address.ts";
import { parseInterfaceAddress, parsePrefix } from "../../lib/addr/prefix.ts";
import { ensureIsolation, listIsolation } from "../../lib/host/firewall/isolation/verbs.ts";
import { listMasquerade } from "../../lib/host/firewall/masquerade/verbs.ts";
import { ensureSourceCheck, listSourceChecks } from "../../lib/host/firewall/source/verbs.ts";
import { findLink } from "../../lib/host/links.ts";
import { removeNetworkRules, removeOwnBridge, sweepSources } from "../../lib/host/network/removal.ts";
import {
  ensureMtuOfOwn,
  ensureNetworkBridge,
  type HostNetwork,
  isolationOf,
  masquerade,
  serveAsGateway,
} from "../../lib/host/network/verbs.ts";
import { withNetns } from "../../lib/linux/namespaces/netns.ts";
import { NETLINK_NETFILTER, openNetlinkSocketIn } from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { NFTables } from "../../lib/netlink/nftables/nftables.ts";
import { NetnsSide } from "../support/kernel/netns-side.ts";

const OURS = "fairlead:web";
const isOurs = (alias: string): boolean => alias === OURS;
const WEB: HostNetwork = {
  networkName: "web",
  bridge: "br1",
  gateways: [parseInterfaceAddress("10.1.0.1/24")],
  prefixes: [parsePrefix("10.1.0.0/24")],
  internal: false,
  separate: true,
  closed: [6],
};

let side: NetnsSide;
let netfilter: NetlinkConnection;
let nft: NFTables;
const inside = <T>(action: Parameters<typeof withNetns<T>>[1]): T => withNetns(side.netns, action);
const sysctl = (key: string) => side.shown.exec("sysctl", "-n", key).trim();
const log = (message: string): void => {
  throw new Error(message);
};

beforeEach(() => {
  side = new NetnsSide("fl-net");
  netfilter = new NetlinkConnection(openNetlinkSocketIn(side.netns, NETLINK_NETFILTER));
  nft = new NFTables(netfilter);
});
afterEach(() => {
  netfilter.close();
  side.close();
});

test("a bridge that is made anew has the MAC address that it had", () => {
  const { link } = ensureNetworkBridge(side.connection, { name: "br1", alias: OURS });
  side.shown.ip("link", "del", "br1");
  expect(ensureNetworkBridge(side.connection, { name: "br1" }).link.mac).toBe(link.mac);
  expect(ensureNetworkBridge(side.connection, { name: "br2" }).link.mac).not.toBe(link.mac);
});

test("the host is the gateway by a link: addresses, forwarding of their family, and no advertisement is taken", () => {
  const { link } = ensureNetworkBridge(side.connection, { name: "br1" });
  side.shown.exec("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0");
  const addresses = WEB.gateways;
  inside(() => serveAsGateway(side.connection, { link, addresses, forwards: false, log }));
  expect(side.addresses("br1")).toMatchObject([{ local: "10.1.0.1", prefixlen: 24 }]);
  expect([sysctl("net.ipv4.ip_forward"), sysctl("net.ipv6.conf.br1.accept_ra")]).toEqual(["0", "0"]);
  inside(() => serveAsGateway(side.connection, { link, addresses, forwards: true, log }));
  expect([sysctl("net.ipv4.ip_forward"), sysctl("net.ipv6.conf.all.forwarding")]).toEqual(["1", "0"]);
});

test("the MTU is set on a bridge of ours, and on nobody else's", () => {
  const own = ensureNetworkBridge(side.connection, { name: "br1", alias: OURS }).link;
  const foreign = ensureNetworkBridge(side.connection, { name: "br2", alias: "the office" }).link;
  for (const link of [own, foreign]) ensureMtuOfOwn(side.connection, link, 1400);
  expect([side.link("br1")?.mtu, side.link("br2")?.mtu]).toEqual([1400, 1500]);
});

test("a bridge is removed when it is ours and nobody uses it", () => {
  const remove = () => removeOwnBridge(side.connection, { bridge: "br1", isOurs });
  expect(remove()).toBe(true);
  ensureNetworkBridge(side.connection, { name: "br1", alias: "the office" });
  expect([remove(), side.link("br1")?.ifname]).toEqual([true, "br1"]);
  side.shown.ip("link", "set", "br1", "alias", OURS);
  side.shown.ip("link", "add", "p1", "master", "br1", "type", "veth", "peer", "name", "p2");
  expect([remove(), side.link("br1")?.ifname]).toEqual([false, "br1"]);
  side.shown.ip("link", "del", "p1");
  expect([remove(), findLink(side.connection, "br1")]).toEqual([true, null]);
});

test("the rules of a network are those of its description, and go without those of another", () => {
  const other: HostNetwork = {
    ...WEB,
    networkName: "db",
    bridge: "br2",
    gateways: [],
    prefixes: [parsePrefix("10.2.0.0/24")],
  };
  for (const network of [WEB, other]) {
    ensureIsolation(nft, isolationOf(network));
    masquerade(nft, network);
  }
  masquerade(nft, { ...WEB, networkName: "layer2", prefixes: [] });
  const names = (specs: readonly { networkName: string }[]) =>
    specs.map(({ networkName }) => networkName).sort();
  expect(names(listIsolation(nft))).toEqual(["db", "web"]);
  expect(names(listMasquerade(nft))).toEqual(["db", "web"]);
  removeNetworkRules(nft, "web");
  expect([names(listIsolation(nft)), names(listMasquerade(nft))]).toEqual([["db"], ["db"]]);
});

test("source checks go with their ports, and stay with those that are there, of whatever kind", () => {
  side.shown.ip("link", "add", "veth1", "type", "veth", "peer", "name", "veth2");
  side.shown.ip("link", "add", "tap1", "type", "bridge");
  for (const hostIfname of ["veth1", "tap1", "gone1"])
    ensureSourceCheck(nft, {
      key: `web/${hostIfname}/eth0`,
      hostIfname,
      mac: "02:ab:cd:ef:01:23",
      addresses: [parseAddress("10.1.0.2")],
    });
  sweepSources({ route: side.connection, nft });
  expect([...listSourceChecks(nft)].sort()).toEqual(["tap1", "veth1"]);
});

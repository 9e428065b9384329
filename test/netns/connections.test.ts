/** Connections of published ports in the kernel's table, put there and listed by `conntrack`. Needs root and conntrack. */
import { type Address, parseAddress } from "../../lib/addr/address.ts";
import { type FlowFilter, forgetConnections } from "../../lib/host/firewall/ports/connections.ts";
import { openNetns } from "../../lib/linux/namespaces/netns.ts";
import {
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  openNetlinkSocketIn,
} from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { IPPROTO_TCP, IPPROTO_UDP } from "../../lib/netlink/conntrack/message.ts";
import { TestNetns } from "../support/kernel/netns.ts";

const CLIENT = "192.0.2.7";
const HOST = "192.0.2.1";
const ELSEWHERE = "198.51.100.9";
const CONTAINER = parseAddress("10.1.0.2");

let host: TestNetns;
let netfilter: NetlinkConnection;
let route: NetlinkConnection;

beforeEach(() => {
  host = new TestNetns("fl-flows");
  host.ip("address", "add", `${HOST}/24`, "dev", "lo");
  const netns = openNetns(host.path);
  netfilter = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_NETFILTER));
  route = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_ROUTE));
  netns.close();
});
afterEach(() => {
  netfilter.close();
  route.close();
  host.close();
});

/** A connection from `sport` of the client to `to`, led on to the container when `ledTo` names it. */
function connect(
  sport: number,
  to: { host: string; port: number; ledTo?: Address; protocol?: string },
): void {
  const { protocol = "udp", ledTo } = to;
  const nat = ledTo === undefined ? [] : ["--dst-nat", "10.1.0.2:5353"];
  const state = protocol === "tcp" ? ["--state", "ESTABLISHED"] : [];
  const ends = ["-s", CLIENT, "-d", to.host, "--sport", `${sport}`, "--dport", `${to.port}`];
  host.exec("conntrack", "-I", "-p", protocol, ...ends, "--timeout", "300", ...nat, ...state);
}

/** The clients' ports of the connections that are left. */
function left(): number[] {
  const listed = host.exec("conntrack", "-L", "-o", "id");
  return [...listed.matchAll(/^\w+ .*?sport=(\d+)/gm)].map(([, sport]) => Number(sport)).sort();
}

function forget(over: Partial<FlowFilter>): number {
  const filter = {
    families: [4],
    protocol: IPPROTO_UDP,
    hostPorts: new Set<number>(),
    containerAddresses: [],
  };
  return forgetConnections({ netfilter, route }, { ...filter, ...over } as FlowFilter);
}

test("those to a port of this host go, those that pass through to the same port elsewhere stay", () => {
  connect(1001, { host: HOST, port: 53 });
  connect(1002, { host: "127.0.0.99", port: 53 });
  connect(1003, { host: ELSEWHERE, port: 53 });
  connect(1004, { host: HOST, port: 54 });
  connect(1005, { host: HOST, port: 53, protocol: "tcp" });
  expect(left()).toEqual([1001, 1002, 1003, 1004, 1005]);
  expect(forget({ hostPorts: new Set([53]) })).toBe(2);
  expect(left()).toEqual([1003, 1004, 1005]);
  expect(forget({ hostPorts: new Set([53]), protocol: IPPROTO_TCP })).toBe(1);
  expect(left()).toEqual([1003, 1004]);
});

test("those that were led to the container go, whatever port they came in by", () => {
  connect(1001, { host: HOST, port: 7000, ledTo: CONTAINER });
  connect(1002, { host: HOST, port: 7000 });
  expect(forget({ containerAddresses: [parseAddress("10.1.0.3")] })).toBe(0);
  expect(forget({ containerAddresses: [parseAddress("10.1.0.3"), CONTAINER] })).toBe(1);
  expect(left()).toEqual([1002]);
});

test("one that was led on counts as to this host, though the address has gone from it", () => {
  connect(1001, { host: ELSEWHERE, port: 53, ledTo: CONTAINER });
  expect(forget({ hostPorts: new Set([53]) })).toBe(1);
  expect(left()).toEqual([]);
});

test("nothing to forget is nothing asked of the kernel's addresses", () => {
  connect(1001, { host: HOST, port: 54 });
  route.close();
  expect(forget({ hostPorts: new Set([53]) })).toBe(0);
});

test("one that ended meanwhile is no error", () => {
  connect(1001, { host: HOST, port: 53 });
  // Listed twice, deleted twice: the second time it is not there any more.
  expect(forget({ families: [4, 4], hostPorts: new Set([53]) })).toBe(2);
  expect(left()).toEqual([]);
});

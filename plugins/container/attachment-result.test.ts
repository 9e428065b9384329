import { parseAddress } from "../../lib/addr/address.ts";
import { parseInterfaceAddress } from "../../lib/addr/prefix.ts";
import { EMPTY_DNS, EMPTY_RESULT } from "../../lib/cni/result.ts";
import type { LinkState } from "../../lib/host/links.ts";
import { appendResult, interfaceOf, resultOf } from "./attachment-result.ts";

const BEFORE = {
  ...EMPTY_RESULT,
  interfaces: [{ name: "br0" }, { name: "eth0", sandbox: "/run/netns/a" }],
  ips: [{ address: "10.1.0.2/24", interface: 1 }],
  dns: { ...EMPTY_DNS, nameservers: ["10.1.0.1"] },
};

test("interfaces come behind those before, and addresses follow theirs; one of no interface stays of none", () => {
  const ours = {
    ...EMPTY_RESULT,
    interfaces: [{ name: "br1" }, { name: "eth1", sandbox: "/run/netns/a" }],
    ips: [
      { address: "10.2.0.2/24", interface: 1 },
      { address: "10.3.0.2/24", interface: 0 },
      { address: "10.4.0.2/24" },
    ],
    routes: [{ dst: "0.0.0.0/0" }],
  };
  expect(appendResult(BEFORE, ours)).toEqual({
    interfaces: [...BEFORE.interfaces, ...ours.interfaces],
    ips: [
      { address: "10.1.0.2/24", interface: 1 },
      { address: "10.2.0.2/24", interface: 3 },
      { address: "10.3.0.2/24", interface: 2 },
      { address: "10.4.0.2/24" },
    ],
    routes: ours.routes,
    dns: BEFORE.dns,
  });
  expect(appendResult(BEFORE, { ...ours, dns: { ...EMPTY_DNS, domain: "x" } }).dns).toMatchObject({
    domain: "x",
  });
});

test("a link of the host is told without a sandbox, one of the container with it", () => {
  const link = { ifname: "eth0", mac: "02:00:00:00:00:01", mtu: 1500, kind: "veth" } as LinkState;
  const told = { name: "eth0", mac: "02:00:00:00:00:01", mtu: 1500 };
  expect(interfaceOf(link)).toStrictEqual(told);
  expect(interfaceOf(link, "/run/netns/a")).toStrictEqual({ ...told, sandbox: "/run/netns/a" });
});

describe("what an attachment has come to", () => {
  const interfaces = [{ name: "br0" }, { name: "eth0", sandbox: "/run/netns/a" }];
  const dns = { ...EMPTY_DNS, domain: "example.com" };

  test("is told with its addresses on the container's interface", () => {
    const ips = [
      { address: parseInterfaceAddress("10.1.0.2/24"), gateway: parseAddress("10.1.0.1") },
      { address: parseInterfaceAddress("fd00::2/64"), gateway: undefined },
    ];
    const routes = [{ dst: "0.0.0.0/0" }];
    const addresses = { ips, routes, dns: { ...EMPTY_DNS, nameservers: ["10.1.0.1"] } };
    expect(resultOf({ interfaces, containerInterface: 1, addresses, dns })).toStrictEqual({
      interfaces,
      ips: [
        { address: "10.1.0.2/24", gateway: "10.1.0.1", interface: 1 },
        { address: "fd00::2/64", interface: 1 },
      ],
      routes,
      dns: addresses.dns,
    });
  });

  test("is told with the configuration's dns on layer 2", () => {
    const told = { interfaces, ips: [], routes: [] };
    const outcome = { interfaces, containerInterface: 1, addresses: null };
    expect(resultOf({ ...outcome, dns })).toStrictEqual({ ...told, dns });
    expect(resultOf({ ...outcome, dns: null })).toStrictEqual({ ...told, dns: EMPTY_DNS });
  });
});

import type { JsonObject } from "../../lib/cni/json.ts";
import { EMPTY_RESULT } from "../../lib/cni/result.ts";
import { readAddressConfig } from "./attachment.ts";
import { checkStatic, staticResult } from "./static-ipam.ts";

const result = (ipam: JsonObject, rest: JsonObject = {}, args: Record<string, string> = {}) => {
  const raw = { ipam: { type: "fairlead-static", ...ipam }, ...rest };
  return staticResult(readAddressConfig({ raw, networkName: "net" }), new Map(Object.entries(args)));
};
const ips = (...parts: Parameters<typeof result>) => result(...parts).ips;

const OWN = { addresses: [{ address: "10.1.0.5/24", gateway: "10.1.0.1" }, { address: "fd00::5/64" }] };
const asked = (...all: string[]) => ({ runtimeConfig: { ips: all } });
const metadata = (...all: string[]) => ({ args: { cni: { ips: all } } });

test("answers what the configuration names", () => {
  const dns = { nameservers: ["10.1.0.53"], domain: "lan.example" };
  const routes = [{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.1.0.9", priority: 7 }];
  expect(result({ ...OWN, dns, routes })).toEqual({
    interfaces: [],
    ips: [{ address: "10.1.0.5/24", gateway: "10.1.0.1" }, { address: "fd00::5/64" }],
    routes,
    dns: { ...dns, search: [], options: [] },
  });
});

describe("sources", () => {
  test("IP of CNI_ARGS comes on top, with as many as it names", () => {
    const args = { IP: "10.2.0.5/16, fd01::5/64" };
    expect(ips(OWN, {}, args).map(({ address }) => address)).toEqual([
      "10.1.0.5/24",
      "fd00::5/64",
      "10.2.0.5/16",
      "fd01::5/64",
    ]);
  });

  test("args.cni.ips takes their place, and runtimeConfig.ips that of all", () => {
    const args = { IP: "10.2.0.5/16" };
    expect(ips(OWN, metadata("10.3.0.5/24"), args)).toEqual([{ address: "10.3.0.5/24" }]);
    const both = { ...metadata("10.3.0.5/24"), ...asked("10.4.0.5/24", "10.4.0.6/24") };
    expect(ips(OWN, both, args)).toEqual([{ address: "10.4.0.5/24" }, { address: "10.4.0.6/24" }]);
  });

  test("GATEWAY of CNI_ARGS is that of each address whose subnet it is in, unless that names its own", () => {
    expect(ips(OWN, {}, { GATEWAY: "10.1.0.254, fd00::1" })).toEqual([
      { address: "10.1.0.5/24", gateway: "10.1.0.1" },
      { address: "fd00::5/64", gateway: "fd00::1" },
    ]);
    expect(ips(OWN, asked("10.4.0.5/24"), { GATEWAY: "10.4.0.1" })).toEqual([
      { address: "10.4.0.5/24", gateway: "10.4.0.1" },
    ]);
  });
});

test.each([
  ["ipam.addresses[0].address", () => ips({ addresses: [{ address: "10.1.0.5" }] })],
  ["ipam.addresses[0].address", () => ips({ addresses: [{}] })],
  ["ipam.addresses[0].gateway", () => ips({ addresses: [{ address: "10.1.0.5/24", gateway: "x" }] })],
  ["ipam.addresses[0].gateway", () => ips({ addresses: [{ address: "10.1.0.5/24", gateway: "fd00::1" }] })],
  ["ipam.addresses", () => ips({ addresses: "10.1.0.5/24" })],
  ["CNI_ARGS IP", () => ips(OWN, {}, { IP: "10.1.0.5" })],
  ["CNI_ARGS GATEWAY", () => ips(OWN, {}, { GATEWAY: "10.1.0.1/24" })],
  ["args.cni.ips[0]", () => ips(OWN, metadata("10.3.0.5"))],
  ["runtimeConfig.ips[0]", () => ips(OWN, asked("10.4.0.5/33"))],
  ["ipam.routes[0].dst", () => ips({ ...OWN, routes: [{ gw: "10.1.0.1" }] })],
])("a mistake in %s is refused by that name", (object, read) => {
  expect(read).toThrow(expect.objectContaining({ code: "invalid-config", object }));
});

test.each([
  ["10.1.0.5", "write it like 10.1.0.5/24"],
  ["fd00::5", "write it like fd00::5/64"],
  ["10.1.0.5/33", "write the number of bits after the slash, like 10.1.0.5/24"],
  ["ten", "give an address with its prefix length, like 192.168.1.10/24"],
])("the advice about the address %s fits it", (address, hint) => {
  expect(() => ips({ addresses: [{ address }] })).toThrow(expect.objectContaining({ hint }));
});

test("CHECK compares with what ADD answered", () => {
  const prevResult = { ...EMPTY_RESULT, ips: [{ address: "fd00:0::5/64" }, { address: "10.1.0.5/24" }] };
  expect(() => checkStatic(result(OWN), prevResult)).not.toThrow();
  expect(() => checkStatic(result(OWN, asked("10.9.0.1/24")), prevResult)).toThrow(
    expect.objectContaining({ code: "check-failed", object: "10.9.0.1/24" }),
  );
});

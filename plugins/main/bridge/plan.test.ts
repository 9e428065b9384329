import { formatAddress } from "../../../lib/addr/address.ts";
import type { Exec } from "../../../lib/cni/delegate.ts";
import type { JsonObject } from "../../../lib/cni/json.ts";
import type { AttachmentRequest } from "../../../lib/cni/request.ts";
import { EMPTY_DNS, type Result } from "../../../lib/cni/result.ts";
import { bindIpam } from "../../addresses/ipam-binding.ts";
import { planAddresses, planBridge } from "./plan.ts";

function request(raw: JsonObject, args: Record<string, string> = {}): AttachmentRequest {
  return {
    config: {
      cniVersion: "1.1.0",
      networkName: "net",
      type: "fairlead-bridge",
      raw,
      stdin: new Uint8Array(),
    },
    environment: {
      verb: "ADD",
      containerId: "c1",
      netns: "/run/netns/x",
      ifname: "eth0",
      args: "",
      path: [],
      netnsOverride: false,
    },
    env: {},
    log: () => undefined,
    key: { networkName: "net", containerId: "c1", ifname: "eth0" },
    args: new Map(Object.entries(args)),
    prevResult: null,
  };
}

const plan = (raw: JsonObject, args?: Record<string, string>) => planBridge(request(raw, args));
const [A, B, C] = ["02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"] as const;

describe("MAC address", () => {
  test("is derived when nobody asks for one, and the same for the same key", () => {
    expect(plan({}).mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    expect(plan({}).mac).toBe(plan({ bridge: "other" }).mac);
    expect(Number.parseInt(plan({}).mac.slice(0, 2), 16) & 0b11).toBe(0b10);
  });

  test("later sources win: CNI_ARGS, args.cni, runtimeConfig", () => {
    const args = { cni: { mac: B } };
    expect(plan({}, { MAC: A }).mac).toBe(A);
    expect(plan({ args }, { MAC: A }).mac).toBe(B);
    expect(plan({ args, runtimeConfig: { mac: C.toUpperCase() } }, { MAC: A }).mac).toBe(C);
    expect(plan({ RuntimeConfig: { mac: C } }).mac).toBe(C);
  });

  test.each(["no", "01:00:5e:00:00:01", "00:00:00:00:00:00"])("%s is refused", (mac) => {
    expect(() => plan({ runtimeConfig: { mac } })).toThrow(
      expect.objectContaining({ code: "invalid-config" }),
    );
  });
});

test("the priority of the gateway: args.cni wins over the key, and without either there is none", () => {
  const args = { cni: { gatewayPriority: 0 } };
  expect(plan({}).gatewayPriority).toBeUndefined();
  expect(plan({ gatewayPriority: -5 }).gatewayPriority).toBe(-5);
  expect(plan({ gatewayPriority: 7, args }).gatewayPriority).toBe(0);
  expect(() => plan({ gatewayPriority: 2 ** 31 })).toThrow(
    expect.objectContaining({ code: "invalid-config" }),
  );
});

test("each key of the configuration is read once, by whoever wants it", () => {
  const raw: JsonObject = {
    bridge: "br1",
    isGateway: true,
    ipam: { type: "fairlead-ipam", subnet: "10.1.0.0/24" },
    dns: { nameservers: ["192.0.2.1"] },
    args: { cni: { names: ["web"] } },
    runtimeConfig: { ips: ["10.1.0.9"] },
  };
  const read: string[] = [];
  const watched = new Proxy(raw, {
    get(target, key) {
      read.push(String(key));
      return Reflect.get(target, key);
    },
  });
  const { shared } = plan(watched);
  bindIpam(shared, { log: () => undefined, exec: {} as Exec });
  expect(read.sort()).toEqual(Object.keys(raw).sort());
});

const ipam = (ips: Result["ips"], routes: Result["routes"] = []): Result => ({
  interfaces: [],
  ips,
  routes,
  dns: { ...EMPTY_DNS, nameservers: ["192.0.2.53"] },
});

describe("addresses", () => {
  const both = [{ address: "10.1.2.3/24" }, { address: "fd00::9/64", gateway: "fd00::fe" }];

  test("a gateway bridge without a gateway from IPAM takes the first host", () => {
    const { ips } = planAddresses(plan({ isGateway: true }), ipam(both));
    expect(ips.map((ip) => ip.gateway && formatAddress(ip.gateway))).toEqual(["10.1.2.1", "fd00::fe"]);
    expect(planAddresses(plan({}), ipam(both)).ips[0]?.gateway).toBeUndefined();
  });

  test("isDefaultGateway adds a default route per family that has none with a gateway", () => {
    const config = plan({ isDefaultGateway: true });
    expect(planAddresses(config, ipam(both)).routes).toEqual([
      { dst: "0.0.0.0/0", gw: "10.1.2.1" },
      { dst: "::/0", gw: "fd00::fe" },
    ]);
    const given = [{ dst: "0.0.0.0/0", gw: "10.1.2.254" }, { dst: "::/0" }];
    expect(planAddresses(config, ipam(both, given)).routes).toEqual([
      ...given,
      { dst: "::/0", gw: "fd00::fe" },
    ]);
    expect(planAddresses(plan({ isGateway: true }), ipam(both)).routes).toEqual([]);
  });

  test("the configuration's dns wins over IPAM's only if it says anything", () => {
    expect(planAddresses(plan({ dns: {} }), ipam(both)).dns.nameservers).toEqual(["192.0.2.53"]);
    expect(planAddresses(plan({ dns: { domain: "x.example" } }), ipam(both)).dns).toEqual({
      ...EMPTY_DNS,
      domain: "x.example",
    });
  });

  test("an IPAM result without addresses is refused", () => {
    expect(() => planAddresses(plan({}), ipam([]))).toThrow("missing IP config");
  });
});

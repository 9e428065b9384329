import type { JsonObject } from "../../../lib/cni/json.ts";
import type { AttachmentRequest } from "../../../lib/cni/request.ts";
import { EMPTY_RESULT } from "../../../lib/cni/result.ts";
import { containerMacOf } from "../../attachment-names.ts";
import { readMacvlan, readRemovalKeys } from "./config.ts";
import { macOn, planAddresses, planMacvlan } from "./plan.ts";

const key = { networkName: "net", containerId: "c1", ifname: "eth0" };
const MAC = "02:00:00:00:00:01";
const MASTER = { mac: "02:00:00:00:00:99" };

const read = (raw: JsonObject) => readMacvlan({ raw, networkName: "net" }).config;
const plan = (raw: JsonObject, args: [string, string][] = []) =>
  planMacvlan({
    config: { raw, networkName: "net" },
    key,
    args: new Map(args),
  } as unknown as AttachmentRequest);

test("every key has the default of the reference", () => {
  expect(read({})).toEqual({
    master: "",
    mode: "bridge",
    mtu: undefined,
    mac: "",
    linkInContainer: false,
    broadcastQueueLength: undefined,
    isDefaultGateway: false,
    routerAdvertisements: true,
    probe: false,
  });
});

test("a zero is the master's MTU, and the kernel's queue", () => {
  expect(read({ mtu: 0, bcqueuelen: 0 })).toMatchObject({ mtu: undefined, broadcastQueueLength: undefined });
  expect(read({ mtu: 1400, bcqueuelen: 7 })).toMatchObject({ mtu: 1400, broadcastQueueLength: 7 });
});

test.each<[JsonObject, string]>([
  [{ master: "no/link" }, "master"],
  [{ mode: "ipvlan" }, "mode"],
  [{ mtu: 65536 }, "mtu"],
  [{ bcqueuelen: 2 ** 32 }, "bcqueuelen"],
])("%j is refused by its key", (raw, object) => {
  expect(() => read(raw)).toThrow(expect.objectContaining({ code: "invalid-config", object }));
});

test("an empty master, or mode, is one that is not given; the longest numbers are taken", () => {
  expect(read({ master: "", mode: "" })).toMatchObject({ master: "", mode: "bridge" });
  expect(read({ mtu: 65535, bcqueuelen: 2 ** 32 - 1 }).mtu).toBe(65535);
});

test.each<[JsonObject, string | null, boolean]>([
  [{}, "", false],
  [{ master: "eth1", linkInContainer: true }, "eth1", true],
  [{ MASTER: "eth1" }, "eth1", false],
  [{ master: "" }, "", false],
  [{ master: "no/link" }, null, false],
  [{ master: 7, linkInContainer: "yes" }, null, false],
])("DEL reads %j past what is wrong: master %j, in the container: %s", (raw, master, linkInContainer) => {
  expect(readRemovalKeys(raw, () => undefined)).toEqual({ master, linkInContainer });
});

test("the MAC address is the key's, unless somebody asks for another, or one that follows from the attachment", () => {
  expect(macOn(MASTER, plan({}))).toBe(containerMacOf(key));
  expect(macOn(MASTER, plan({ mac: MAC }))).toBe(MAC);
  expect(macOn(MASTER, plan({ mac: MAC }, [["MAC", "02:00:00:00:00:02"]]))).toBe("02:00:00:00:00:02");
  expect(macOn(MASTER, plan({ mode: "private", mac: MAC }))).toBe(MAC);
});

test("in mode passthru the MAC address is the master's, and no other can be asked for", () => {
  expect(macOn(MASTER, plan({ mode: "passthru" }))).toBe(MASTER.mac);
  expect(macOn(MASTER, plan({ mode: "passthru", mac: MASTER.mac }))).toBe(MASTER.mac);
  expect(() => macOn(MASTER, plan({ mode: "passthru", mac: MAC }))).toThrow(
    expect.objectContaining({ code: "unsupported-field", object: "mac" }),
  );
});

test("a default route is made where it is asked for, through the gateway that IPAM names and no other", () => {
  const ipam = (gateway?: string) => ({
    ...EMPTY_RESULT,
    ips: [{ address: "10.1.0.2/24", ...(gateway && { gateway }) }],
  });
  const routes = (raw: JsonObject, gateway?: string) => planAddresses(plan(raw), ipam(gateway)).routes;
  expect(routes({}, "10.1.0.1")).toEqual([]);
  expect(routes({ isDefaultGateway: true }, "10.1.0.1")).toEqual([{ dst: "0.0.0.0/0", gw: "10.1.0.1" }]);
  expect(routes({ isDefaultGateway: true })).toEqual([]);
});

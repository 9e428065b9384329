import type { JsonObject } from "../../lib/cni/json.ts";
import { readAttachmentConfig } from "./attachment.ts";
import { wishesOf } from "./attachment-wishes.ts";

const wishes = (raw: JsonObject, args: readonly [string, string][] = []) =>
  wishesOf(readAttachmentConfig({ raw, networkName: "net" }), { args: new Map(args) });
const asks = (...asked: Parameters<typeof wishes>) => wishes(...asked).asksForAddress;

test("an address is asked for by each of the ways, and by nothing else", () => {
  expect(asks({ ipam: { type: "fairlead-ipam" } })).toBe(false);
  expect(asks({ runtimeConfig: { ips: [] }, args: { cni: { ips: [] } } })).toBe(false);
  expect(asks({ runtimeConfig: { mac: "02:00:00:00:00:01" } }, [["MAC", "02:00:00:00:00:01"]])).toBe(false);
  expect(asks({ runtimeConfig: { ips: ["10.1.0.2/24"] } })).toBe(true);
  expect(asks({ args: { cni: { ips: ["10.1.0.2"] } } })).toBe(true);
  expect(asks({}, [["IP", "10.1.0.2"]])).toBe(true);
  expect(asks({ ipam: { type: "fairlead-static" } })).toBe(true);
});

test("an IPv6 address is asked for by each of the ways, and perhaps by static addresses", () => {
  const asksForIpv6 = (...asked: Parameters<typeof wishes>) => wishes(...asked).asksForIpv6;
  expect(asksForIpv6({ ipam: { type: "fairlead-ipam" } })).toBe(false);
  expect(asksForIpv6({ runtimeConfig: { ips: ["10.1.0.2/24"] } }, [["IP", "10.1.0.3"]])).toBe(false);
  expect(asksForIpv6({ runtimeConfig: { ips: ["10.1.0.2/24", "fd00::2/64"] } })).toBe(true);
  expect(asksForIpv6({}, [["IP", "fd00::2"]])).toBe(true);
  expect(asksForIpv6({ ipam: { type: "fairlead-static" } })).toBe(true);
});

test.each<[JsonObject, unknown]>([
  [{}, null],
  [{ domain: "" }, null],
  [{ unknown: [] }, null],
  [{ nameservers: [] }, { nameservers: [], domain: "", search: [], options: [] }],
  [{ SEARCH: [] }, { nameservers: [], domain: "", search: [], options: [] }],
  [{ domain: "example.com" }, { nameservers: [], domain: "example.com", search: [], options: [] }],
])("the configuration's dns %j says: %j", (dns, expected) => {
  expect(wishes({ dns }).dns).toEqual(expected);
});

test("a dns that is no object is refused by its name", () => {
  expect(() => wishes({ dns: "10.1.0.53" })).toThrow(
    expect.objectContaining({ code: "invalid-config", object: "dns" }),
  );
});

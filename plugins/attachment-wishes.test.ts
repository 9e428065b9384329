import type { AttachmentRequest } from "../lib/cni/request.ts";
import { readWishes } from "./attachment-wishes.ts";

const asks = (raw: object, args: readonly [string, string][] = []) => {
  const request = { config: { raw }, args: new Map(args) } as unknown as AttachmentRequest;
  return readWishes(request).asksForAddress;
};

test("an address is asked for by each of the ways, and by nothing else", () => {
  expect(asks({ ipam: { type: "fairlead-ipam" } })).toBe(false);
  expect(asks({ runtimeConfig: { ips: [] }, args: { cni: { ips: [] } } })).toBe(false);
  expect(asks({ runtimeConfig: { mac: "02:00:00:00:00:01" } }, [["MAC", "02:00:00:00:00:01"]])).toBe(false);
  expect(asks({ runtimeConfig: { ips: ["10.1.0.2/24"] } })).toBe(true);
  expect(asks({ args: { cni: { ips: ["10.1.0.2"] } } })).toBe(true);
  expect(asks({}, [["IP", "10.1.0.2"]])).toBe(true);
  expect(asks({ ipam: { type: "fairlead-static" } })).toBe(true);
});

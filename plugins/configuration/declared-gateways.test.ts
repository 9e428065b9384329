import { formatPrefix } from "../../lib/addr/prefix.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import { readAttachmentConfig } from "./attachment.ts";
import { declaredBy } from "./declared-gateways.ts";

const shown = (raw: JsonObject) => declaredBy(raw).declaredGateways().map(formatPrefix);
const attachment = (ipam: JsonObject) => readAttachmentConfig({ raw: { ipam }, networkName: "net" });

test("of every range, wherever it is named: its own, or the first host", () => {
  const raw = {
    ipam: {
      type: "fairlead-ipam",
      subnet: "10.1.0.0/24",
      gateway: "10.1.0.254",
      ranges: [
        [{ subnet: "10.2.0.0/24" }, { subnet: "10.3.0.0/16", gateway: "10.3.0.9" }],
        [{ subnet: "fd00::/64" }],
      ],
    },
    runtimeConfig: { ipRanges: [[{ subnet: "10.4.0.0/24" }]] },
  };
  expect(shown(raw)).toEqual(["10.1.0.254/24", "10.2.0.1/24", "10.3.0.9/16", "fd00::1/64", "10.4.0.1/24"]);
});

test.each<JsonObject>([
  {},
  { ipam: { type: "fairlead-ipam" } },
  { ipam: { subnet: "10.1.0.0" } },
  { ipam: { subnet: "10.1.0.0/24", gateway: "ten" } },
  { ipam: { ranges: "10.1.0.0/24" } },
  { ipam: [], runtimeConfig: 7 },
])("there are none in %j", (raw) => {
  expect(shown(raw)).toEqual([]);
});

test.each<[JsonObject, boolean]>([
  [{}, false],
  [{ subnet: "10.1.0.0/24", gateway: "10.1.0.1" }, false],
  [{ subnet: "10.1.0.0/24", rangeStart: "10.1.0.9" }, true],
  [{ subnet: "10.1.0.0/24", rangeEnd: "10.1.0.9" }, true],
  [{ ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "10.2.0.0/24", rangeEnd: "10.2.0.9" }]] }, true],
])("whether %j leaves a part of a subnet to others: %s", (ipam, expected) => {
  expect(attachment(ipam).declaresParts()).toBe(expected);
});

test("an attachment's configuration tells its gateways", () => {
  expect(attachment({ subnet: "10.1.0.0/24" }).declaredGateways().map(formatPrefix)).toEqual(["10.1.0.1/24"]);
});

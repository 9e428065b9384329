import { type ErrorCode, FairleadError } from "../../lib/errors.ts";
import { bootId, hostname } from "../../lib/linux/processes/machine.ts";
import { type Holder, holderInTheWay, releaseIfGone } from "./gone-holder.ts";

const HELD = {
  state: "bound",
  address: "10.1.0.2",
  containerId: "c1",
  ifname: "eth0",
  node: "n1",
  bootId: "b1",
  mac: "02:00:00:00:00:01",
  sequence: 7,
};

const inTheWay = (details: Record<string, unknown>, code: ErrorCode = "address-in-use") =>
  holderInTheWay(new FairleadError({ code, operation: "acquire", reason: "", details }), "net");

test("a refusal names who holds the address, and by which grant", () => {
  expect(inTheWay(HELD)).toEqual({
    key: { networkName: "net", containerId: "c1", ifname: "eth0" },
    address: "10.1.0.2",
    sequence: 7,
    node: "n1",
    bootId: "b1",
    mac: "02:00:00:00:00:01",
  });
});

test.each([
  ["it is refused for something else", HELD, "pool-exhausted"],
  ["the address is reserved", { ...HELD, state: "reserved" }, "address-in-use"],
  ["the service does not say by which grant", { ...HELD, sequence: undefined }, "address-in-use"],
  ["the service is older, and says nothing", {}, "address-in-use"],
] as const)("nobody is in the way where %s", (_what, details, code) => {
  expect(inTheWay(details, code)).toBeNull();
});

test.each<[string, Partial<Holder>]>([
  ["another node", { node: "elsewhere" }],
  ["an earlier boot", { bootId: "earlier" }],
  ["another plugin than ours", { mac: "" }],
])("nothing is taken from a holder of %s, of whom nobody here can tell", (_what, more) => {
  const key = { networkName: "net", containerId: "gone-holder-test", ifname: "eth0" };
  const here = { node: hostname(), bootId: bootId(), mac: HELD.mac, address: HELD.address, sequence: 7 };
  const release = jest.fn();
  expect(releaseIfGone({ key, ...here, ...more }, release)).toBeNull();
  expect(release).not.toHaveBeenCalled();
});

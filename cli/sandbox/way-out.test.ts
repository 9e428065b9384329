import { readConflist } from "../../lib/runtime/conflist.ts";
import { type NetworkChoice, publishingNetwork } from "./way-out.ts";

const SERVED = { capabilities: { portMappings: true } };
const network = (name: string, raw: object, gatewayPriority?: number): NetworkChoice => ({
  conflist: readConflist({ name, plugins: [{ type: "fairlead-bridge", ...raw }] }, name),
  ...(gatewayPriority !== undefined && { gatewayPriority }),
});
const open = (name: string, priority?: number) =>
  network(name, { isDefaultGateway: true, ...SERVED }, priority);
const internal = network("inn", { internal: true, ...SERVED });
const lan = network("lan", { type: "fairlead-macvlan", isDefaultGateway: true, capabilities: { ips: true } });

test.each<[string, readonly NetworkChoice[], number]>([
  ["the only one", [open("a")], 0],
  ["the first of equals", [open("a"), open("b")], 0],
  ["the one with the way out", [internal, open("a")], 1],
  ["the highest priority", [open("a"), open("b", 5), open("c", 1)], 1],
  ["a priority below the others'", [open("a", -1), open("b")], 1],
  [
    "one whose IPAM gives the route",
    [network("r", { ipam: { routes: [{ dst: "0.0.0.0/0" }] }, ...SERVED })],
    0,
  ],
  ["one whose routes nobody here knows", [internal, network("x", SERVED)], 1],
])("ports go to %s", (_what, networks, expected) => expect(publishingNetwork(networks)).toBe(expected));

test("an internal network alone publishes nothing, and neither does a macvlan with the default route", () => {
  expect(() => publishingNetwork([internal])).toThrow("nobody outside reaches an internal network");
  expect(() => publishingNetwork([lan, open("a")])).toThrow(
    "ports cannot be published on network lan, which has the default route: its containers are reached by their own addresses",
  );
  expect(publishingNetwork([lan, open("a", 1)])).toBe(1);
});

import type { Network, Subnet } from "../../lib/ipam/api.ts";
import { type AttachmentWishes, capabilityArgsOf, checkWishes, isPlain } from "./wishes.ts";

const subnet = (changes: Partial<Subnet> = {}): Subnet => ({
  subnet: "10.78.0.0/24",
  gateway: "10.78.0.1",
  gatewayGiven: false,
  ipRange: null,
  ranges: [],
  exclusions: [],
  auxAddresses: {},
  fromDefaultPool: false,
  ...changes,
});

const network = (changes: Partial<Network> = {}, own: Subnet = subnet()): Network => ({
  id: "ab".repeat(32),
  name: "web",
  driver: "bridge",
  origin: "api",
  addressSpace: "default",
  internal: false,
  attachable: false,
  ipv6: false,
  coolingSeconds: 60,
  maxAttachments: null,
  options: {},
  labels: {},
  pools: [{ pool: 0, family: 4, subnets: [own] }],
  attachments: 0,
  createdAt: "2026-01-01T00:00:00.000Z",
  ...changes,
});

/** Source of the texts: Docker 20.10, as it prints them. */
test.each<[AttachmentWishes, Network | null, string]>([
  [{ ip: "nonsense" }, network(), "invalid IPv4 address: nonsense"],
  [{ ip: "fd00::1" }, network(), "invalid IPv4 address: fd00::1"],
  [{ ip6: "10.78.0.5" }, network(), "invalid IPv6 address: 10.78.0.5"],
  [
    { ip: "10.79.0.50" },
    network(),
    "Invalid address 10.79.0.50: It does not belong to any of this network's subnets",
  ],
  [
    { ip: "10.78.0.5" },
    network({}, subnet({ fromDefaultPool: true })),
    "user specified IP address is supported only when connecting to networks with user configured subnets",
  ],
  [
    { ip: "10.78.0.5" },
    network({ origin: "predefined", name: "bridge" }),
    "user specified IP address is supported on user defined networks only",
  ],
  [
    { aliases: ["x"] },
    network({ origin: "predefined", name: "bridge" }),
    "network-scoped alias is supported only for containers in user defined networks",
  ],
  [{ mac: "x" }, null, "invalid MAC address: x"],
  [{ links: ["db"] }, network(), "links are for the network bridge"],
])("%j is refused", (wishes, on, message) => {
  expect(() => checkWishes(wishes, on?.name ?? "web", on)).toThrow(message);
});

test.each<[AttachmentWishes, boolean]>([
  [{}, true],
  [{ mac: "02:00:00:00:00:01", gatewayPriority: 5 }, true],
  [{ ip: "10.78.0.5" }, false],
  [{ ip6: "fd00::5" }, false],
  [{ aliases: ["db"] }, false],
  [{ links: ["db"] }, false],
])("whether the service has to be asked about the network: %j", (wishes, plain) => {
  expect(isPlain(wishes)).toBe(plain);
});

test("what the network grants passes, and becomes what plugins read", () => {
  const wishes = { ip: "10.78.0.5", mac: "02:00:00:00:00:01", aliases: ["db"] };
  expect(() => checkWishes(wishes, "web", network())).not.toThrow();
  expect(() => checkWishes({ ip: "10.0.0.1" }, "byhand", null)).not.toThrow();
  expect(capabilityArgsOf(wishes)).toEqual({ ips: ["10.78.0.5"], mac: "02:00:00:00:00:01" });
  expect(capabilityArgsOf({})).toEqual({});
});

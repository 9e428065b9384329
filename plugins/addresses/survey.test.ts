import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Address, parseAddress } from "../../lib/addr/address.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import { surveyNetwork } from "./survey.ts";

const NETWORK = "survey-test";

/** What is on the node's bridges, and which of them was looked at. */
let mockOnBridge: { address: Address; seen: string }[] | Error;
let mockLookedAt: string[];
jest.mock("../../lib/host/netlink.ts", () => ({
  HostNetlink: class {
    close() {
      mockLookedAt.push("closed");
    }
  },
}));
jest.mock("../../lib/host/bridge/survey.ts", () => ({
  listAddressesOnBridge: (_route: unknown, name: string) => {
    mockLookedAt.push(name);
    if (mockOnBridge instanceof Error) throw mockOnBridge;
    return mockOnBridge;
  },
}));

let dataDir: string;
let log: string[];
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "fairlead-survey-"));
  mkdirSync(join(dataDir, NETWORK));
  log = [];
  mockOnBridge = [];
  mockLookedAt = [];
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const leave = (address: string, text: string) => writeFileSync(join(dataDir, NETWORK, address), text);

/** What is found of the ranges' addresses. */
function found(subnets: readonly string[], keys: JsonObject = { type: "macvlan" }) {
  const rangeSets = subnets.map((subnet) => [{ subnet }]);
  const raw = { ...keys, ipam: { dataDir } };
  return surveyNetwork({
    raw,
    networkName: NETWORK,
    declaration: { rangeSets },
    log: (line) => log.push(line),
  }).found;
}
const seen = (address: string) => `lease of host-local, ${dataDir}/${NETWORK}/${address}`;

test("leases of host-local are told with their holders, as far as they name one that could ask", () => {
  leave("10.1.0.2", "c1\r\neth1");
  leave("10.1.0.3", "c2");
  leave("10.1.0.4", "no container\r\neth0");
  leave("10.1.0.5", "c3\r\nno/interface");
  expect([...found(["10.1.0.0/24"])].sort((a, b) => a.address.localeCompare(b.address))).toEqual([
    { address: "10.1.0.2", containerId: "c1", ifname: "eth1", seen: seen("10.1.0.2") },
    { address: "10.1.0.3", containerId: "c2", ifname: "eth0", seen: seen("10.1.0.3") },
    { address: "10.1.0.4", seen: seen("10.1.0.4") },
    { address: "10.1.0.5", seen: seen("10.1.0.5") },
  ]);
  expect(log).toEqual([expect.stringMatching(/^survey-test is new to the service: 4 of its addresses/)]);
});

test("addresses in none of the subnets are not the network's", () => {
  leave("10.1.0.2", "c1\r\neth0");
  leave("10.2.0.2", "c2\r\neth0");
  leave("10.9.0.2", "c3\r\neth0");
  expect(
    found(["10.1.0.0/24", "10.2.0.0/24"])
      .map(({ address }) => address)
      .sort(),
  ).toEqual(["10.1.0.2", "10.2.0.2"]);
  expect(found(["10.3.0.0/24", "no subnet"])).toEqual([]);
  expect(log).toHaveLength(1);
});

test.each<JsonObject>([{}, { type: "fairlead-macvlan" }, { type: "bridge", bridge: "no/interface" }])(
  "a network of %j has no bridge to look at",
  (keys) => {
    mockOnBridge = [{ address: parseAddress("10.1.0.9"), seen: "neighbour" }];
    expect(found(["10.1.0.0/24"], keys)).toEqual([]);
    expect([mockLookedAt, log]).toEqual([[], []]);
  },
);

test.each<[JsonObject, string]>([
  [{ type: "bridge" }, "cni0"],
  [{ type: "fairlead-bridge", bridge: "" }, "cni0"],
  [{ type: "fairlead-bridge", bridge: "br1" }, "br1"],
  [{ type: "another", Bridge: "br1" }, "br1"],
  [{ type: 7, bridge: "br1" }, "br1"],
])("of a network of %j the addresses on %s are told, whoever has them", (keys, bridge) => {
  mockOnBridge = ["10.1.0.9", "10.2.0.9"].map((address) => ({
    address: parseAddress(address),
    seen: "neighbour",
  }));
  expect(found(["10.1.0.0/24"], keys)).toEqual([{ address: "10.1.0.9", seen: "neighbour" }]);
  expect(mockLookedAt).toEqual([bridge, "closed"]);
});

test("whose an address is stays known where it is on the bridge, too", () => {
  leave("10.1.0.2", "c1\r\neth0");
  mockOnBridge = [{ address: parseAddress("10.1.0.2"), seen: "neighbour" }];
  expect(found(["10.1.0.0/24"], { type: "bridge" })).toEqual([
    { address: "10.1.0.2", containerId: "c1", ifname: "eth0", seen: seen("10.1.0.2") },
  ]);
});

test("a bridge that cannot be looked at is not taken to be empty", () => {
  leave("10.1.0.2", "c1\r\neth0");
  mockOnBridge = new Error("kernel refused");
  expect(() => found(["10.1.0.0/24"], { type: "bridge" })).toThrow("kernel refused");
  expect(mockLookedAt).toEqual(["cni0", "closed"]);
});

test("as many are taken over as one request can tell of, and none more", () => {
  for (let at = 0; at < 2048; at += 1) leave(`10.1.${at >> 8}.${at & 255}`, `c${at}\r\neth0`);
  expect(found(["10.1.0.0/16"])).toHaveLength(2048);
  leave("10.1.8.0", "c2048\r\neth0");
  expect(() => found(["10.1.0.0/16"])).toThrow(
    expect.objectContaining({
      code: "invalid-config",
      object: NETWORK,
      reason: expect.stringContaining("2049"),
    }),
  );
});

import { formatAddress, parseAddress } from "../../lib/addr/address.ts";
import { endpointOf, networkOf } from "../../test/support/dns-fixture.ts";
import { type Asker, type Member, Names } from "./names.ts";

const FRONTEND = networkOf("frontend", {
  subnets: { "10.1.0.0/24": "10.1.0.1", "fd00:1::/64": "fd00:1::1" },
});
const BACKEND = networkOf("backend", { subnets: { "10.2.0.0/24": "10.2.0.1" } });
const BRIDGE = networkOf("bridge", { origin: "predefined", subnets: { "10.9.0.0/24": "10.9.0.1" } });
const HOST = networkOf("host", { driver: "host", origin: "predefined" });
const FULL_ID = "0123456789ab".padEnd(64, "c");

let names: Names;

function attach(
  networkName: string,
  containerId: string,
  addresses: readonly string[],
  { called, links = [] }: { called?: readonly string[]; links?: { target: string; alias: string }[] } = {},
): void {
  const endpoints = addresses.length === 0 ? [] : [endpointOf(networkName, containerId, addresses, called)];
  names.setEndpoints({ networkName, containerId, endpoints, links });
}

function asker(networkName: string, source: string): Asker {
  const found = names.askerAt(networkName, source);
  if (!found) throw new Error(`${source} is nobody on ${networkName}`);
  return found;
}

const text = (members: readonly Member[]) => members.flatMap(({ addresses }) => addresses.map(formatAddress));
const find = (networkName: string, source: string, name: string) =>
  text(names.find(asker(networkName, source), name));

beforeEach(() => {
  names = new Names();
  names.setNetworks([FRONTEND, BACKEND, BRIDGE, HOST]);
  attach("frontend", "ins01", ["10.1.0.2/24", "fd00:1::2/64"]);
  attach("frontend", "ins02", ["10.1.0.3/24"]);
  attach("backend", "ins02", ["10.2.0.2/24"]);
  attach("backend", "ins03", ["10.2.0.3/24"]);
});

test("the classic scenario: who is on both networks sees both, the others only their own", () => {
  expect(find("frontend", "10.1.0.2", "ins02")).toEqual(["10.1.0.3"]);
  expect(find("frontend", "10.1.0.2", "ins03")).toEqual([]);
  expect(find("frontend", "10.1.0.3", "ins01")).toEqual(["10.1.0.2", "fd00:1::2"]);
  expect(find("frontend", "10.1.0.3", "ins03")).toEqual(["10.2.0.3"]);
  expect(find("backend", "10.2.0.2", "ins01")).toEqual(["10.1.0.2", "fd00:1::2"]);
  expect(find("backend", "10.2.0.3", "ins01")).toEqual([]);
  expect(find("backend", "10.2.0.3", "ins02")).toEqual(["10.2.0.2"]);
});

test("a container asks by any of its addresses, in either family", () => {
  expect(asker("frontend", "fd00:1::2")).toEqual(asker("frontend", "10.1.0.2"));
  expect(asker("frontend", "10.1.0.3").networks.map(({ name }) => name)).toEqual(["frontend", "backend"]);
});

test("only holders and the host, by a gateway's address, are somebody; all other addresses of the network are inside", () => {
  for (const gateway of ["10.1.0.1", "fd00:1::1"]) {
    expect(asker("frontend", gateway)).toMatchObject({ containerId: "", networks: [{ name: "frontend" }] });
  }
  for (const source of ["10.1.0.9", "fd00:1::9"]) {
    expect([names.askerAt("frontend", source), names.isInside("frontend", source)]).toEqual([null, true]);
  }
  for (const source of ["10.2.0.2", "10.2.0.1", "192.0.2.1", "fe80::1%br0", "", "::ffff:10.1.0.2", "x"]) {
    expect([names.askerAt("frontend", source), names.isInside("frontend", source)]).toEqual([null, false]);
  }
  expect(names.askerAt("nosuch", "10.1.0.2")).toBeNull();
  expect(names.isInside("nosuch", "10.1.0.2")).toBe(false);
});

test("after a disconnect nothing of the other network is left", () => {
  attach("backend", "ins02", []);
  expect(find("frontend", "10.1.0.3", "ins03")).toEqual([]);
  expect(find("frontend", "10.1.0.3", "ins01")).toEqual(["10.1.0.2", "fd00:1::2"]);
  expect(find("backend", "10.2.0.3", "ins02")).toEqual([]);
  expect(names.memberCount).toBe(3);
  expect(names.containerCount).toBe(3);
  attach("frontend", "ins01", []);
  expect(names.containerCount).toBe(2);
});

test("names are the given ones that are host names, and the short ID of a full one", () => {
  attach("frontend", FULL_ID, ["10.1.0.9/24"], { called: ["Web_1", "no name", "shop", "a.b"] });
  for (const name of ["web_1", "shop", "a.b", "0123456789ab"]) {
    expect(find("frontend", "10.1.0.2", name)).toEqual(["10.1.0.9"]);
  }
  expect(find("frontend", "10.1.0.2", "no name")).toEqual([]);
  expect(find("frontend", "10.1.0.2", FULL_ID)).toEqual([]);
});

test("several containers of one name are all found, and go one by one", () => {
  attach("frontend", "w1", ["10.1.0.11/24"], { called: ["web"] });
  attach("frontend", "w2", ["10.1.0.12/24"], { called: ["web"] });
  expect(find("frontend", "10.1.0.2", "web")).toEqual(["10.1.0.11", "10.1.0.12"]);
  attach("frontend", "w1", []);
  expect(find("frontend", "10.1.0.2", "web")).toEqual(["10.1.0.12"]);
});

test("a changed name or address replaces the old one", () => {
  attach("frontend", "ins01", ["10.1.0.7/24"], { called: ["new"] });
  expect(find("frontend", "10.1.0.3", "ins01")).toEqual([]);
  expect(find("frontend", "10.1.0.3", "new")).toEqual(["10.1.0.7"]);
  expect(names.askerAt("frontend", "10.1.0.2")).toBeNull();
});

test("an address that has a new holder stays with it when the old one goes", () => {
  attach("frontend", "newer", ["10.1.0.2/24"]);
  attach("frontend", "ins01", []);
  expect(asker("frontend", "10.1.0.2").containerId).toBe("newer");
});

test("an address has the name of its holder, on the asker's networks only", () => {
  const address = parseAddress("10.2.0.3");
  expect(names.holderOf(asker("frontend", "10.1.0.3"), address)?.primaryName).toBe("ins03");
  expect(names.holderOf(asker("frontend", "10.1.0.2"), address)).toBeUndefined();
  expect(names.isOurs(address)).toBe(true);
  expect(names.isOurs(parseAddress("192.0.2.1"))).toBe(false);
});

describe("the predefined bridge", () => {
  beforeEach(() => {
    attach("bridge", "db", ["10.9.0.2/24"]);
    attach("bridge", "app", ["10.9.0.3/24"], { links: [{ target: "DB", alias: "Database" }] });
  });

  test("has no names but those of links, which only the linked container sees", () => {
    expect(find("bridge", "10.9.0.3", "database")).toEqual(["10.9.0.2"]);
    expect(find("bridge", "10.9.0.3", "db")).toEqual(["10.9.0.2"]);
    expect(find("bridge", "10.9.0.3", "app")).toEqual([]);
    expect(find("bridge", "10.9.0.2", "app")).toEqual([]);
    expect(find("bridge", "10.9.0.2", "database")).toEqual([]);
    expect(names.holderOf(asker("bridge", "10.9.0.3"), parseAddress("10.9.0.2"))).toBeUndefined();
  });

  test("a link follows its target, and goes with its owner", () => {
    attach("bridge", "db", ["10.9.0.8/24"]);
    expect(find("bridge", "10.9.0.3", "database")).toEqual(["10.9.0.8"]);
    attach("bridge", "db", []);
    expect(find("bridge", "10.9.0.3", "database")).toEqual([]);
    attach("bridge", "db", ["10.9.0.8/24"]);
    attach("bridge", "app", []);
    attach("bridge", "app", ["10.9.0.3/24"]);
    expect(find("bridge", "10.9.0.3", "database")).toEqual([]);
  });
});

test("networks without addresses are none; a removed one takes its names with it", () => {
  expect(names.networks.map(({ name }) => name)).toEqual(["frontend", "backend", "bridge"]);
  names.setNetworks([FRONTEND]);
  expect(names.askerAt("backend", "10.2.0.3")).toBeNull();
  expect(asker("frontend", "10.1.0.3").networks.map(({ name }) => name)).toEqual(["frontend"]);
  expect(names.networksNamed("backend")).toEqual([]);
  expect(names.memberCount).toBe(2);
});

test("a network that stays keeps its names while its pools grow; one made anew under the name does not", () => {
  const grown = networkOf("frontend", { subnets: { "10.1.0.0/24": "10.1.0.1", "10.7.0.0/24": "10.7.0.1" } });
  names.setNetworks([grown, BACKEND]);
  expect(find("frontend", "10.7.0.1", "ins01")).toEqual(["10.1.0.2", "fd00:1::2"]);
  expect(names.networksNamed("frontend")).toHaveLength(1);
  names.setNetworks([
    networkOf("frontend", { id: "other", subnets: { "10.1.0.0/24": "10.1.0.1" } }),
    BACKEND,
  ]);
  expect(find("frontend", "10.1.0.1", "ins01")).toEqual([]);
  // What belongs to the network that is gone does not come back.
  attach("frontend", "ins01", ["10.1.0.2/24"]);
  expect(find("frontend", "10.1.0.1", "ins01")).toEqual([]);
});

test("attachments of networks that are not known are left out", () => {
  attach("nosuch", "x", ["10.5.0.2/24"]);
  expect([...names.attachments()].map(({ networkName }) => networkName)).not.toContain("nosuch");
});

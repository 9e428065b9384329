import { formatAddress, parseAddress } from "../../../lib/addr/address.ts";
import { endpointOf, networkOf, withNames } from "../../../test/support/dns/dns-fixture.ts";
import { type Asker, type Member, Names } from "./names.ts";

const FRONTEND = networkOf("frontend", {
  subnets: { "10.1.0.0/24": "10.1.0.1", "fd00:1::/64": "fd00:1::1" },
});
const BACKEND = networkOf("backend", { subnets: { "10.2.0.0/24": "10.2.0.1" } });
const BRIDGE = networkOf("bridge", { origin: "predefined", subnets: { "10.9.0.0/24": "10.9.0.1" } });
const HOST = networkOf("host", { driver: "host", origin: "predefined" });
const FULL_ID = "0123456789ab".padEnd(64, "c");

let names: Names;

interface Attached {
  readonly addresses: readonly string[];
  readonly called?: readonly string[];
  readonly links?: { target: string; alias: string }[];
}

function attach(networkName: string, containerId: string, { addresses, called, links = [] }: Attached): void {
  const endpoint = endpointOf(networkName, containerId, addresses);
  const endpoints = addresses.length === 0 ? [] : [called ? withNames(endpoint, called) : endpoint];
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
  attach("frontend", "ins01", { addresses: ["10.1.0.2/24", "fd00:1::2/64"] });
  attach("frontend", "ins02", { addresses: ["10.1.0.3/24"] });
  attach("backend", "ins02", { addresses: ["10.2.0.2/24"] });
  attach("backend", "ins03", { addresses: ["10.2.0.3/24"] });
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

test("an attachment without addresses, or to an earlier network of the name, is nobody", () => {
  const before = names.memberCount;
  attach("frontend", "bare", { addresses: ["10.1.0.9/24"] });
  const none = { ...endpointOf("frontend", "bare", []), names: ["bare"] };
  names.setEndpoints({ networkName: "frontend", containerId: "bare", endpoints: [none], links: [] });
  const earlier = { ...endpointOf("frontend", "old", ["10.1.0.8/24"]), networkId: "id-of-before" };
  names.setEndpoints({ networkName: "frontend", containerId: "old", endpoints: [earlier], links: [] });
  expect(names.memberCount).toBe(before);
  expect([find("frontend", "10.1.0.2", "bare"), find("frontend", "10.1.0.2", "old")]).toEqual([[], []]);
});

test("only the predefined bridge serves no names: another network may be called so", () => {
  expect(names.network("bridge")?.servesNames).toBe(false);
  names.setNetworks([networkOf("bridge", { subnets: { "10.9.0.0/24": "10.9.0.1" } })]);
  expect(names.network("bridge")?.servesNames).toBe(true);
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
  attach("backend", "ins02", { addresses: [] });
  expect(find("frontend", "10.1.0.3", "ins03")).toEqual([]);
  expect(find("frontend", "10.1.0.3", "ins01")).toEqual(["10.1.0.2", "fd00:1::2"]);
  expect(find("backend", "10.2.0.3", "ins02")).toEqual([]);
  expect(names.memberCount).toBe(3);
  expect(names.containerCount).toBe(3);
  attach("frontend", "ins01", { addresses: [] });
  expect(names.containerCount).toBe(2);
});

test("names are the given ones that are host names, and the short ID of a full one", () => {
  attach("frontend", FULL_ID, { addresses: ["10.1.0.9/24"], called: ["Web_1", "no name", "shop", "a.b"] });
  for (const name of ["web_1", "shop", "a.b", "0123456789ab"]) {
    expect(find("frontend", "10.1.0.2", name)).toEqual(["10.1.0.9"]);
  }
  expect(find("frontend", "10.1.0.2", "no name")).toEqual([]);
  expect(find("frontend", "10.1.0.2", FULL_ID)).toEqual([]);
});

test("several containers of one name are all found, and go one by one", () => {
  attach("frontend", "w1", { addresses: ["10.1.0.11/24"], called: ["web"] });
  attach("frontend", "w2", { addresses: ["10.1.0.12/24"], called: ["web"] });
  expect(find("frontend", "10.1.0.2", "web")).toEqual(["10.1.0.11", "10.1.0.12"]);
  attach("frontend", "w1", { addresses: [] });
  expect(find("frontend", "10.1.0.2", "web")).toEqual(["10.1.0.12"]);
});

test("a changed name or address replaces the old one", () => {
  attach("frontend", "ins01", { addresses: ["10.1.0.7/24"], called: ["new"] });
  expect(find("frontend", "10.1.0.3", "ins01")).toEqual([]);
  expect(find("frontend", "10.1.0.3", "new")).toEqual(["10.1.0.7"]);
  expect(names.askerAt("frontend", "10.1.0.2")).toBeNull();
});

test("an address that has a new holder stays with it when the old one goes", () => {
  attach("frontend", "newer", { addresses: ["10.1.0.2/24"] });
  attach("frontend", "ins01", { addresses: [] });
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
    attach("bridge", "db", { addresses: ["10.9.0.2/24"] });
    attach("bridge", "app", { addresses: ["10.9.0.3/24"], links: [{ target: "DB", alias: "Database" }] });
  });

  test("has no names but those of links, which only the linked container sees", () => {
    expect(find("bridge", "10.9.0.3", "database")).toEqual(["10.9.0.2"]);
    expect(find("bridge", "10.9.0.3", "db")).toEqual(["10.9.0.2"]);
    expect(find("bridge", "10.9.0.3", "app")).toEqual([]);
    expect(find("bridge", "10.9.0.2", "app")).toEqual([]);
    expect(find("bridge", "10.9.0.2", "database")).toEqual([]);
    expect(names.holderOf(asker("bridge", "10.9.0.3"), parseAddress("10.9.0.2"))).toBeUndefined();
  });

  test("whoever asked before the network went finds nobody by a link", () => {
    const before = asker("bridge", "10.9.0.3");
    names.setNetworks([FRONTEND, BACKEND]);
    expect(names.find(before, "database")).toEqual([]);
  });

  test("links are the owner's wherever it is, and stay while it comes to other networks and leaves them", () => {
    attach("frontend", "app", { addresses: ["10.1.0.9/24"] });
    expect(find("frontend", "10.1.0.9", "database")).toEqual(["10.9.0.2"]);
    attach("frontend", "app", { addresses: [] });
    expect(find("bridge", "10.9.0.3", "database")).toEqual(["10.9.0.2"]);
  });

  test("a link follows its target, and goes with its owner", () => {
    attach("bridge", "db", { addresses: ["10.9.0.8/24"] });
    expect(find("bridge", "10.9.0.3", "database")).toEqual(["10.9.0.8"]);
    attach("bridge", "db", { addresses: [] });
    expect(find("bridge", "10.9.0.3", "database")).toEqual([]);
    attach("bridge", "db", { addresses: ["10.9.0.8/24"] });
    attach("bridge", "app", { addresses: [] });
    attach("bridge", "app", { addresses: ["10.9.0.3/24"] });
    expect(find("bridge", "10.9.0.3", "database")).toEqual([]);
  });
});

test("networks without addresses are none; a removed one takes its names with it", () => {
  expect(names.networks.map(({ name }) => name)).toEqual(["frontend", "backend", "bridge"]);
  names.setNetworks([FRONTEND]);
  expect(names.askerAt("backend", "10.2.0.3")).toBeNull();
  expect(asker("frontend", "10.1.0.3").networks.map(({ name }) => name)).toEqual(["frontend"]);
  expect(names.networksNamed("backend")).toEqual([]);
  expect([names.memberCount, names.containerCount]).toEqual([2, 2]);
});

test("whoever asked before a network went finds nobody on it, by name or by address", () => {
  const before = asker("backend", "10.2.0.3");
  names.setNetworks([FRONTEND]);
  expect(names.find(before, "ins02")).toEqual([]);
  expect(names.holderOf(before, parseAddress("10.2.0.2"))).toBeUndefined();
});

test("on a network without a gateway containers are known, and nobody is the host", () => {
  names.setNetworks([FRONTEND, networkOf("alone", { subnets: { "10.6.0.0/24": null } })]);
  attach("alone", "ins04", { addresses: ["10.6.0.2/24"] });
  expect(find("alone", "10.6.0.2", "ins04")).toEqual(["10.6.0.2"]);
  expect([names.askerAt("alone", "10.6.0.1"), names.isInside("alone", "10.6.0.1")]).toEqual([null, true]);
  expect(names.sharing("alone")).toEqual(["alone"]);
});

test("of networks whose names differ in their case alone, each is found until it goes", () => {
  const upper = networkOf("BackEnd", { subnets: { "10.5.0.0/24": "10.5.0.1" } });
  const found = () => names.networksNamed("backend").map(({ name }) => name);
  names.setNetworks([BACKEND, upper]);
  expect(found()).toEqual(["backend", "BackEnd"]);
  names.setNetworks([upper]);
  expect(found()).toEqual(["BackEnd"]);
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
  attach("frontend", "ins01", { addresses: ["10.1.0.2/24"] });
  expect(find("frontend", "10.1.0.1", "ins01")).toEqual([]);
});

test("attachments of networks that are not known are left out", () => {
  attach("nosuch", "x", { addresses: ["10.5.0.2/24"] });
  expect([...names.attachments()].map(({ networkName }) => networkName)).not.toContain("nosuch");
});

describe("two networks with one gateway", () => {
  const lan = (name: string, addressSpace = "default") => ({
    ...networkOf(name, { subnets: { "10.93.0.0/24": "10.93.0.1" } }),
    addressSpace,
  });

  beforeEach(() => {
    names.setNetworks([FRONTEND, lan("lan1"), lan("lan2"), lan("elsewhere", "lab")]);
    attach("lan1", "one", { addresses: ["10.93.0.10/24"] });
    attach("lan2", "two", { addresses: ["10.93.0.20/24"] });
    attach("elsewhere", "three", { addresses: ["10.93.0.30/24"] });
  });

  test("whoever asks is known by its own network, whichever is listened for, and sees that network's names", () => {
    for (const listened of ["lan1", "lan2"]) {
      expect(asker(listened, "10.93.0.20").networks.map(({ name }) => name)).toEqual(["lan2"]);
      expect(find(listened, "10.93.0.20", "two")).toEqual(["10.93.0.20"]);
      expect(find(listened, "10.93.0.20", "one")).toEqual([]);
      expect(names.askerAt(listened, "10.93.0.30")).toBeNull();
    }
    expect(names.sharing("lan2")).toEqual(["lan2", "lan1"]);
    expect([names.sharing("elsewhere"), names.sharing("frontend")]).toEqual([["elsewhere"], ["frontend"]]);
  });

  test("one may share its gateways of either family with others, who do not share any among themselves", () => {
    const subnets = { "10.93.0.0/24": "10.93.0.1", "fd00:93::/64": "fd00:93::1" };
    const six = networkOf("six", { subnets: { "fd00:93::/64": "fd00:93::1" } });
    names.setNetworks([lan("lan1"), six, networkOf("dual", { subnets })]);
    expect(names.sharing("dual")).toEqual(["dual", "lan1", "six"]);
    expect([names.sharing("lan1"), names.sharing("six")]).toEqual([
      ["lan1", "dual"],
      ["six", "dual"],
    ]);
  });

  test("the host sees the names of both; one that is left is alone", () => {
    expect(asker("lan1", "10.93.0.1").networks.map(({ name }) => name)).toEqual(["lan1", "lan2"]);
    names.setNetworks([FRONTEND, lan("lan2")]);
    expect(names.sharing("lan2")).toEqual(["lan2"]);
    expect(find("lan2", "10.93.0.20", "two")).toEqual(["10.93.0.20"]);
  });
});

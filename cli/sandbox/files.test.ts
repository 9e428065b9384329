import type { CachedAttachment } from "../../lib/runtime/cache.ts";
import { readConflist } from "../../lib/runtime/conflist.ts";
import { hosts, resolvConf } from "./files.ts";
import type { SandboxRecord } from "./registry.ts";
import { requireUsableServers } from "./resolver/name-servers.ts";

const RECORD: SandboxRecord = {
  name: "web",
  id: "ab".repeat(32),
  netns: "/run/netns/web",
  mode: "own",
  hostname: "www",
  createdAt: "2026-01-01T00:00:00.000Z",
  nameservers: [],
};

const attachment = (networkName: string, address: string, dns: object): CachedAttachment => ({
  networkName,
  containerId: RECORD.id,
  ifname: "eth0",
  netns: RECORD.netns,
  conflist: readConflist({ name: networkName, plugins: [{ type: "p" }] }, networkName),
  rawResult: { cniVersion: "1.0.0", ips: [{ address }], dns: { ...dns } },
  notes: {},
  file: "",
});

const FRONT = attachment("front", "10.1.0.2/24", { nameservers: ["10.1.0.1"], options: ["ndots:0"] });
const BACK = attachment("back", "fd00::2/64", {
  nameservers: ["fd00::1", "10.1.0.1"],
  options: ["ndots:0"],
  search: ["svc"],
  domain: "lan",
});

const NO_HOST = { nameservers: [], search: [], options: [] };

test("resolv.conf has every network's name server once, in the order of the networks", () => {
  expect(resolvConf(RECORD, [FRONT, BACK], NO_HOST)).toBe(
    "# Written by fairlead for sandbox web.\nnameserver 10.1.0.1\nnameserver fd00::1\nsearch svc lan\noptions ndots:0\n",
  );
});

test("the host's search domains and options come behind the networks'; the networks' ndots stays", () => {
  const host = { nameservers: ["192.0.2.1"], search: ["corp.example", "svc"], options: ["edns0", "ndots:5"] };
  expect(resolvConf(RECORD, [FRONT, BACK], host).split("\n").slice(3)).toEqual([
    "search svc lan corp.example",
    "options edns0 ndots:0",
    "",
  ]);
  expect(resolvConf(RECORD, [], host)).toContain(
    "nameserver 192.0.2.1\nsearch corp.example svc\noptions edns0 ndots:5\n",
  );
});

test("domains that the agent took over from the host are the host's of now, not those of the ADD", () => {
  const raw = { name: "front", fairlead: { networkId: "f".repeat(64) }, plugins: [{ type: "p" }] };
  const old = attachment("front", "10.1.0.2/24", { nameservers: ["10.1.0.1"], search: ["old.example"] });
  const ours = { ...old, conflist: readConflist(raw, "front") };
  const host = { nameservers: [], search: ["new.example"], options: [] };
  expect(resolvConf(RECORD, [ours], host)).toContain("\nsearch new.example\n");
  expect(resolvConf(RECORD, [old], host)).toContain("\nsearch old.example new.example\n");
});

test("what the user named takes the place of it", () => {
  const host = { nameservers: [], search: ["corp.example"], options: ["edns0"] };
  const text = (changes: Partial<SandboxRecord>) => resolvConf({ ...RECORD, ...changes }, [FRONT], host);
  expect(text({ search: ["a.test"] })).toContain("\nsearch a.test\n");
  expect(text({ search: ["."] })).not.toContain("search");
  expect(text({ resolverOptions: ["ndots:2"] })).toContain("\noptions ndots:2\n");
  expect(text({ resolverOptions: ["rotate"] })).toContain("\noptions rotate ndots:0\n");
});

test("what a plugin's result says begins no line of its own", () => {
  const evil = attachment("evil", "10.3.0.2/24", {
    nameservers: ["10.3.0.1"],
    search: ["a\nnameserver 6.6.6.6", "ok"],
  });
  expect(resolvConf(RECORD, [evil], NO_HOST)).not.toContain("6.6.6.6");
});

test("hosts has the lines that were asked for, and the gateway for host-gateway", () => {
  const extraHosts = [
    { name: "db", address: "192.0.2.9" },
    { name: "gw", address: "host-gateway" },
  ];
  const routed = {
    ...FRONT,
    rawResult: { cniVersion: "1.0.0", ips: [{ address: "10.1.0.2/24", gateway: "10.1.0.1" }] },
  };
  expect(hosts({ ...RECORD, extraHosts }, [routed])).toContain("\n192.0.2.9\tdb\n10.1.0.1\tgw\n");
  expect(hosts({ ...RECORD, extraHosts }, [])).not.toContain("gw");
});

test("at most three name servers, which is what the C library reads", () => {
  const many = attachment("many", "10.2.0.2/24", {
    nameservers: ["10.2.0.1", "10.2.0.2", "10.2.0.3", "10.2.0.4"],
  });
  expect(resolvConf(RECORD, [many], NO_HOST).match(/nameserver/g)).toHaveLength(3);
});

/** On a network of the service, by its bridge plugin, whose gateway answers names. */
const served = (
  networkName: string,
  [subnet, gateway]: readonly [string, string],
  type = "fairlead-bridge",
) => {
  const plugins = [{ type, ipam: { type: "fairlead-ipam" } }];
  const dns = { nameservers: [gateway, "10.9.9.9"], options: ["ndots:0"] };
  return {
    ...attachment(networkName, subnet, dns),
    conflist: readConflist({ name: networkName, plugins }, networkName),
    rawResult: { cniVersion: "1.0.0", ips: [{ address: subnet, gateway }], dns },
  };
};
const SERVED = served("ours", ["10.5.0.2/24", "10.5.0.1"]);
const LAN = served("lan", ["192.168.7.2/24", "192.168.7.1"], "fairlead-macvlan");
const nameserverLines = (nameservers: readonly string[], attachments: readonly CachedAttachment[]) =>
  resolvConf({ ...RECORD, nameservers }, attachments, { ...NO_HOST, nameservers: ["192.0.2.1"] })
    .split("\n")
    .filter((line) => line.startsWith("nameserver"))
    .map((line) => line.replace("nameserver ", ""));

test("name servers that the user named take the place of the networks', but for those that ask them for us", () => {
  const named = ["192.0.2.53", "192.0.2.54#53", "192.0.2.55#5353"];
  const direct = ["192.0.2.53", "192.0.2.54"];
  expect(nameserverLines(named, [FRONT])).toEqual(direct);
  expect(nameserverLines(named, [LAN])).toEqual(direct);
  expect(nameserverLines(named, [])).toEqual(direct);
  expect(nameserverLines(named, [SERVED])).toEqual(["10.5.0.1"]);
  expect(nameserverLines(named, [LAN, FRONT, SERVED])).toEqual(["10.5.0.1"]);
  expect(nameserverLines([], [SERVED])).toEqual(["10.5.0.1", "10.9.9.9"]);
  // Nobody whom the user did not name is asked instead.
  expect(nameserverLines(["192.0.2.55#5353"], [LAN])).toEqual([]);
});

test("another port than 53 needs a network that serves names", () => {
  const check = (nameservers: readonly string[], attachments: readonly CachedAttachment[]) => () =>
    requireUsableServers({ ...RECORD, nameservers }, attachments);
  expect(check(["192.0.2.53#5353"], [LAN])).toThrow(
    "--dns 192.0.2.53#5353: a server on another port than 53",
  );
  expect(check(["192.0.2.53", "192.0.2.53#5353"], [])).toThrow("needs a network that serves names");
  expect(check(["192.0.2.53#5353"], [LAN, SERVED])).not.toThrow();
  expect(check(["192.0.2.53", "192.0.2.54#53"], [])).not.toThrow();
});

test("hosts has the sandbox's own addresses under its names", () => {
  expect(hosts(RECORD, [FRONT, BACK])).toBe(
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.1.0.2\twww\tweb\nfd00::2\twww\tweb\n",
  );
});

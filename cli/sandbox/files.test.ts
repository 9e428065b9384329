import type { CachedAttachment } from "../../lib/runtime/cache.ts";
import { readConflist } from "../../lib/runtime/conflist.ts";
import { hosts, resolvConf } from "./files.ts";
import type { SandboxRecord } from "./registry.ts";

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

test("name servers that the user named take the place of the networks'", () => {
  const text = resolvConf({ ...RECORD, nameservers: ["192.0.2.53"] }, [FRONT], NO_HOST);
  expect(text).toContain("nameserver 192.0.2.53\n");
  expect(text).not.toContain("10.1.0.1");
});

test("hosts has the sandbox's own addresses under its names", () => {
  expect(hosts(RECORD, [FRONT, BACK])).toBe(
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.1.0.2\twww\tweb\nfd00::2\twww\tweb\n",
  );
});

import {
  aliasOf,
  aliasPrefixOf,
  containerMacOf,
  hostIfnameOf,
  hostMacOf,
  keyOfAlias,
} from "./attachment-names.ts";

const key = (networkName: string, containerId: string, ifname = "eth0") => ({
  networkName,
  containerId,
  ifname,
});

test("names depend on the whole key and say where each part ends", () => {
  const keys = [key("a", "bc"), key("ab", "c"), key("a", "bc", "eth1"), key("a", "b", "ceth0")];
  expect(new Set(keys.map(hostIfnameOf)).size).toBe(keys.length);
  expect(new Set(keys.map(containerMacOf)).size).toBe(keys.length);
});

test("a host end's MAC address is a local unicast one, and the highest of them in its first byte", () => {
  expect(hostMacOf(key("net", "c"))).toMatch(/^fe(:[0-9a-f]{2}){5}$/);
  expect(hostMacOf(key("net", "c"))).not.toBe(hostMacOf(key("net", "d")));
});

test("a host interface name fits the kernel", () => {
  expect(hostIfnameOf(key("net", "c".repeat(200)))).toMatch(/^veth[0-9a-f]{11}$/);
});

test("the alias is the key, and stays within the kernel's 255 bytes", () => {
  expect(aliasOf(key("web", "c1"))).toBe("fairlead:web/c1/eth0");
  const long = aliasOf(key("web", "c".repeat(300)));
  expect(long.startsWith(aliasPrefixOf("web"))).toBe(true);
  expect(long).not.toBe(aliasOf(key("web", "c".repeat(301))));
  const longest = aliasOf(key("n".repeat(400), "c"));
  expect(longest.length).toBeLessThanOrEqual(255);
  expect(longest).not.toBe(aliasOf(key("n".repeat(400), "d")));
});

test("an alias tells its key, unless it is a hash or somebody else's", () => {
  expect(keyOfAlias(aliasOf(key("web", "c1")))).toEqual([key("web", "c1")]);
  for (const alias of [
    aliasOf(key("web", "c".repeat(300))),
    "",
    "fairlead:web/c1",
    "web/c1/eth0",
    "fairlead:a/b/c/d",
  ])
    expect(keyOfAlias(alias)).toEqual([]);
});

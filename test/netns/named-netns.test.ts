/** Network namespaces with a name: made, found by `ip netns`, told apart, removed. */
import { existsSync, readlinkSync } from "node:fs";
import {
  createNamedNetns,
  namedNetnsPath,
  netnsIdentity,
  removeNamedNetns,
} from "../../lib/linux/namespaces/named-netns.ts";
import { command } from "../support/lab/lab-process.ts";

const NAMES = ["a", "b"].map((name) => `fl-named-${process.pid}-${name}`);
const [first = "", second = ""] = NAMES;

afterAll(() => {
  for (const name of NAMES) removeNamedNetns(name);
});

test("a new one is another than ours, and this thread is where it was", () => {
  const before = readlinkSync("/proc/thread-self/ns/net");
  const path = createNamedNetns(first);
  expect(path).toBe(namedNetnsPath(first));
  expect(readlinkSync("/proc/thread-self/ns/net")).toBe(before);
  expect(netnsIdentity(path)).not.toBe(netnsIdentity("/proc/self/ns/net"));
  expect(netnsIdentity(createNamedNetns(second))).not.toBe(netnsIdentity(path));
});

test("`ip netns` sees it, with nothing in it but a loopback that is down", async () => {
  expect(await command(["ip", "netns", "list"])).toContain(first);
  const links = JSON.parse(await command(["ip", "-n", first, "-j", "link"])) as {
    ifname: string;
    operstate: string;
  }[];
  expect(links.map(({ ifname, operstate }) => [ifname, operstate])).toEqual([["lo", "DOWN"]]);
});

test("a name that is taken is refused, and what has it stays", () => {
  const identity = netnsIdentity(namedNetnsPath(first));
  expect(() => createNamedNetns(first)).toThrow(expect.objectContaining({ code: "already-exists" }));
  expect(netnsIdentity(namedNetnsPath(first))).toBe(identity);
});

test("removed, also one that `ip netns` removed, and twice", async () => {
  expect([removeNamedNetns(first), removeNamedNetns(first)]).toEqual([true, false]);
  expect(existsSync(namedNetnsPath(first))).toBe(false);
  await command(["ip", "netns", "del", second]);
  expect(removeNamedNetns(second)).toBe(false);
});

test("what is no network namespace has no identity", () => {
  expect(["/etc/passwd", "/nosuch", "/proc/self/ns/mnt"].map(netnsIdentity)).toEqual([null, null, null]);
});

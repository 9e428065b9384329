import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockBridge, tryLockBridge } from "../../lib/host/locks/bridges.ts";
import {
  disableIpv6,
  enableIpv6,
  ensureForwarding,
  ignoreRouterAdvertisements,
  isIpv6SwitchedOff,
} from "../../lib/host/settings.ts";
import { withNetns } from "../../lib/linux/namespaces/netns.ts";
import { NetnsSide } from "../support/kernel/netns-side.ts";

describe("settings", () => {
  let side: NetnsSide;
  let said: string[];
  const log = (message: string) => void said.push(message);
  const inside = <T>(action: Parameters<typeof withNetns<T>>[1]): T => withNetns(side.netns, action);
  const sysctl = (key: string) => side.shown.exec("sysctl", "-n", key).trim();
  const settle = (...settings: readonly string[]) => side.shown.exec("sysctl", "-qw", ...settings);

  beforeEach(() => {
    side = new NetnsSide("fl-set");
    said = [];
    side.shown.ip("link", "add", "v0", "type", "veth", "peer", "name", "v.1");
  });
  afterEach(() => side.close());

  test("forwarding is switched on once, family by family", () => {
    settle("net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0");
    const twice = () => [ensureForwarding(side.connection, 4), ensureForwarding(side.connection, 4)];
    expect(inside(twice)).toEqual([true, false]);
    expect([sysctl("net.ipv4.ip_forward"), sysctl("net.ipv6.conf.all.forwarding")]).toEqual(["1", "0"]);
    expect(inside(() => ensureForwarding(side.connection, 6))).toBe(true);
    expect(sysctl("net.ipv6.conf.all.forwarding")).toBe("1");
  });

  test("forwarding of IPv6 costs the host no route that a router advertised, and lets no other link take one", () => {
    settle("net.ipv6.conf.all.forwarding=0");
    for (const link of ["v0", "v.1"]) side.shown.ip("link", "set", link, "up");
    const fromRouter = ["proto", "ra", "via", "fe80::1", "dev", "v0", "expires", "1800"];
    side.shown.ip("-6", "route", "add", "default", ...fromRouter);
    inside(() => ensureForwarding(side.connection, 6));
    expect(side.shown.show("-6", "route", "show", "default")).toMatchObject([{ protocol: "ra", dev: "v0" }]);
    const acceptRa = (link: string) =>
      side.shown.exec("cat", `/proc/sys/net/ipv6/conf/${link}/accept_ra`).trim();
    expect([acceptRa("v0"), acceptRa("v.1")]).toEqual(["2", "1"]);
  });

  test("advertised routes that a daemon keeps are the daemon's: the kernel goes on ignoring advertisements", () => {
    settle("net.ipv6.conf.all.forwarding=0", "net.ipv6.conf.v0.accept_ra=0");
    for (const link of ["v0", "v.1"]) side.shown.ip("link", "set", link, "up");
    side.shown.ip("-6", "route", "add", "default", "proto", "ra", "via", "fe80::1", "dev", "v0");
    inside(() => ensureForwarding(side.connection, 6));
    expect(sysctl("net.ipv6.conf.v0.accept_ra")).toBe("0");
    expect(side.shown.show("-6", "route", "show", "default")).toHaveLength(1);
  });

  test("a link ignores router advertisements, also one with a dot in its name", () => {
    inside(() => ignoreRouterAdvertisements("v.1", log));
    expect(side.shown.exec("cat", "/proc/sys/net/ipv6/conf/v.1/accept_ra").trim()).toBe("0");
    expect(sysctl("net.ipv6.conf.v0.accept_ra")).toBe("1");
    inside(() => ignoreRouterAdvertisements("none", log));
    expect(said).toEqual([]);
  });

  test("IPv6 is switched on and off, link by link; off for all is told apart from off for one", () => {
    inside(() => disableIpv6("v0", log));
    expect(sysctl("net.ipv6.conf.v0.disable_ipv6")).toBe("1");
    expect(inside(isIpv6SwitchedOff)).toBe(false);
    expect(inside(() => enableIpv6("v0"))).toBe(true);
    expect(sysctl("net.ipv6.conf.v0.disable_ipv6")).toBe("0");
    settle("net.ipv6.conf.all.disable_ipv6=1");
    expect(inside(isIpv6SwitchedOff)).toBe(true);
    expect(inside(() => enableIpv6("none"))).toBe(false);
    expect(said).toEqual([]);
  });
});

describe("the lock of a bridge", () => {
  const root = mkdtempSync(join(tmpdir(), "fl-lock-"));
  const directory = join(root, "made", "on", "demand");
  afterAll(() => rmSync(root, { recursive: true }));

  test("many attach at once; who removes is alone, and does not wait", () => {
    const spec = { directory, bridgeName: "br.0", timeoutMs: 1_000 };
    const [one, two] = [lockBridge({ ...spec, mode: "shared" }), lockBridge({ ...spec, mode: "shared" })];
    expect(tryLockBridge(spec)).toBeNull();
    const other = tryLockBridge({ directory, bridgeName: "br.1" });
    expect(other).not.toBeNull();
    other?.close();
    one.close();
    expect(tryLockBridge(spec)).toBeNull();
    two.close();
    const alone = tryLockBridge(spec);
    expect(alone).not.toBeNull();
    expect(() => lockBridge({ ...spec, mode: "shared", timeoutMs: 20 })).toThrow(
      expect.objectContaining({ code: "timeout", object: "br.0", details: { pid: process.pid } }),
    );
    alone?.close();
  });

  test("bridges that come and go leave one file", () => {
    for (let n = 0; n < 100; n++) tryLockBridge({ directory, bridgeName: `fl-${n}` })?.close();
    expect(readdirSync(directory)).toEqual(["bridges"]);
  });
});

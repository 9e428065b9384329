import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockBridge, tryLockBridge } from "../../lib/host/bridge-lock.ts";
import { enableIpv6, ensureForwarding, ignoreRouterAdvertisements } from "../../lib/host/settings.ts";
import { type Netns, openNetns, withNetns } from "../../lib/linux/netns.ts";
import { TestNetns } from "../support/netns.ts";

describe("settings", () => {
  let inside: TestNetns;
  let netns: Netns;
  const sysctl = (key: string) => inside.exec("sysctl", "-n", key).trim();

  beforeEach(() => {
    inside = new TestNetns("fl-set");
    netns = openNetns(inside.path);
    inside.ip("link", "add", "v0", "type", "veth", "peer", "name", "v.1");
  });
  afterEach(() => {
    netns.close();
    inside.close();
  });

  test("forwarding is switched on once, family by family", () => {
    inside.exec("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0");
    expect(withNetns(netns, () => [ensureForwarding(4), ensureForwarding(4)])).toEqual([true, false]);
    expect([sysctl("net.ipv4.ip_forward"), sysctl("net.ipv6.conf.all.forwarding")]).toEqual(["1", "0"]);
    expect(withNetns(netns, () => ensureForwarding(6))).toBe(true);
    expect(sysctl("net.ipv6.conf.all.forwarding")).toBe("1");
  });

  test("a link ignores router advertisements, also one with a dot in its name", () => {
    withNetns(netns, () => ignoreRouterAdvertisements("v.1"));
    expect(inside.exec("cat", "/proc/sys/net/ipv6/conf/v.1/accept_ra").trim()).toBe("0");
    expect(sysctl("net.ipv6.conf.v0.accept_ra")).toBe("1");
    withNetns(netns, () => ignoreRouterAdvertisements("none"));
  });

  test("IPv6 is allowed on a link where it was switched off", () => {
    inside.exec("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1");
    expect(sysctl("net.ipv6.conf.v0.disable_ipv6")).toBe("1");
    expect(withNetns(netns, () => enableIpv6("v0"))).toBe(true);
    expect([sysctl("net.ipv6.conf.v0.disable_ipv6"), sysctl("net.ipv6.conf.lo.disable_ipv6")]).toEqual([
      "0",
      "0",
    ]);
    expect(withNetns(netns, () => enableIpv6("none"))).toBe(false);
  });
});

describe("the lock of a bridge", () => {
  const directory = join(mkdtempSync(join(tmpdir(), "fl-lock-")), "made", "on", "demand");
  afterAll(() => rmSync(directory, { recursive: true }));

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
      expect.objectContaining({ code: "timeout" }),
    );
    alone?.close();
  });
});

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFile } from "../../lib/linux/files/files.ts";
import { ensureSysctl, readSysctl, writeSysctl } from "../../lib/linux/files/sysctl.ts";
import {
  isOwnNetns,
  type Netns,
  openNetns,
  openNetnsIfExists,
  withNetns,
} from "../../lib/linux/namespaces/netns.ts";
import { NETLINK_ROUTE, openNetlinkSocketIn } from "../../lib/linux/sockets/netlink-socket.ts";
import { NetlinkConnection } from "../../lib/netlink/connection.ts";
import { getLinks } from "../../lib/netlink/route/link.ts";
import { TestNetns } from "../support/kernel/netns.ts";

const errorWith = (parts: object) => expect.objectContaining(parts);
const openFds = () => readdirSync("/proc/self/fd").length;

describe("network namespaces", () => {
  const directory = mkdtempSync(join(tmpdir(), "fl-netns-"));
  let inside: TestNetns;
  let netns: Netns;

  beforeAll(() => {
    inside = new TestNetns("fl-linux");
    inside.ip("link", "add", "marker", "type", "bridge");
    netns = openNetns(inside.path);
  });
  afterAll(() => {
    netns.close();
    inside.close();
    rmSync(directory, { recursive: true });
  });

  describe("openNetns", () => {
    test("gives null, or an error, for nothing", () => {
      expect(openNetnsIfExists("/run/netns/fl-none")).toBeNull();
      expect(openNetnsIfExists("/etc/passwd/x")).toBeNull();
      expect(() => openNetns("/run/netns/fl-none")).toThrow(
        errorWith({ code: "invalid-netns", message: expect.stringContaining("there is no such file") }),
      );
    });

    test.each([
      ["/etc/passwd", "it is a regular file"],
      ["/tmp", "it is a directory"],
      ["/dev/null", "it is a character device"],
      ["/proc/self/ns/mnt", "namespace of another kind: mount"],
      ["/proc/self/ns/pid", "namespace of another kind: PID"],
      ["/proc/self/ns/user", "namespace of another kind: user"],
    ])("says what %s is instead", (path, reason) => {
      expect(() => openNetns(path)).toThrow(
        errorWith({ code: "invalid-netns", object: path, message: expect.stringContaining(reason) }),
      );
    });

    test("neither opens nor waits for a FIFO or a socket", async () => {
      execFileSync("mkfifo", [join(directory, "fifo")]);
      const server = createServer().listen(join(directory, "sock"));
      await new Promise((resolve) => server.once("listening", resolve));
      expect(() => openNetns(join(directory, "fifo"))).toThrow("it is a FIFO");
      expect(() => openNetns(join(directory, "sock"))).toThrow("it is a socket");
      server.close();
    });

    test("leaves no descriptor open when it refuses", () => {
      writeFileSync(join(directory, "plain"), "");
      const before = openFds();
      for (const path of [join(directory, "plain"), "/proc/self/ns/mnt", "/none"]) {
        expect(() => openNetns(path)).toThrow();
      }
      expect(openFds()).toBe(before);
    });

    test("keeps the netns alive after its name is gone", () => {
      const shortLived = new TestNetns("fl-linux-gone");
      const handle = openNetns(shortLived.path);
      shortLived.close();
      const connection = new NetlinkConnection(openNetlinkSocketIn(handle, NETLINK_ROUTE));
      expect(connection.dump(getLinks()).map((link) => link.ifname)).toContain("lo");
      connection.close();
      handle.close();
      handle.close();
    });
  });

  test("isOwnNetns tells ours from others, by whatever path", () => {
    const own = openNetns(`/proc/${process.pid}/ns/net`);
    expect(isOwnNetns(own)).toBe(true);
    expect(isOwnNetns(netns)).toBe(false);
    own.close();
  });

  describe("withNetns", () => {
    /** Names alone: what goes over a link meanwhile changes its counters. */
    const linksHere = () => {
      const text = new TextDecoder().decode(readFile("/proc/thread-self/net/dev"));
      return [...text.matchAll(/^\s*(\S+):/gm)].map(([, name]) => name);
    };

    test("runs inside and comes back", () => {
      const outside = linksHere();
      expect(withNetns(netns, linksHere)).toContain("marker");
      expect(linksHere()).toEqual(outside);
      expect(outside).toContain("lo");
    });

    test("comes back when the action throws, with its error", () => {
      const failure = new Error("inside");
      expect(() =>
        withNetns(netns, () => {
          throw failure;
        }),
      ).toThrow(failure);
      expect(linksHere()).not.toContain("marker");
    });

    test("leaves no descriptor open", () => {
      const before = openFds();
      withNetns(netns, () => 1);
      expect(openFds()).toBe(before);
    });

    test("does not take a promise", () => {
      // @ts-expect-error: what is awaited would go on outside
      expect(() => withNetns(netns, async () => 1)).toThrow(errorWith({ code: "internal" }));
      expect(linksHere()).not.toContain("marker");
    });
  });

  test("a netlink socket stays where it was opened", () => {
    const connection = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_ROUTE));
    expect(connection.dump(getLinks()).map((link) => link.ifname)).toContain("marker");
    connection.close();
  });

  test("sockets are not handed to programs that are executed", () => {
    const connection = new NetlinkConnection(openNetlinkSocketIn(netns, NETLINK_ROUTE));
    const listing = execFileSync(
      "sh",
      ["-c", "cd /proc/self/fd; for fd in [0-9]*; do echo $fd $(readlink $fd); done"],
      {
        encoding: "utf8",
      },
    );
    connection.close();
    expect(listing).toMatch(/^0 /);
    expect(listing).not.toMatch(/^([3-9]|\d\d+) (socket|net):/m); // 0 to 2 are those that the shell was given
  });

  describe("sysctls", () => {
    const key = ["ipv4", "conf", "marker", "arp_notify"] as const;

    test("are those of the netns", () => {
      withNetns(netns, () => writeSysctl(key, "1"));
      expect(inside.exec("cat", "/proc/sys/net/ipv4/conf/marker/arp_notify")).toBe("1\n");
      expect(readSysctl(key)).toBeNull();
      expect(withNetns<string | null>(netns, () => readSysctl(key))).toBe("1");
    });

    test("are written only when they differ", () => {
      expect(withNetns<boolean>(netns, () => ensureSysctl(key, "0"))).toBe(true);
      expect(withNetns<boolean>(netns, () => ensureSysctl(key, "0"))).toBe(false);
      expect(inside.exec("cat", "/proc/sys/net/ipv4/conf/marker/arp_notify")).toBe("0\n");
    });

    test("say which key and value was refused, and why", () => {
      expect(() => writeSysctl(key, "1")).toThrow(
        errorWith({
          code: "not-found",
          message:
            'set sysctl net.ipv4.conf.marker.arp_notify to "1": open: No such file or directory (ENOENT); this kernel, or this netns, has no such setting',
        }),
      );
      expect(() => withNetns(netns, () => writeSysctl(key, "many"))).toThrow(
        errorWith({
          message: expect.stringContaining('arp_notify to "many": write: Invalid argument (EINVAL)'),
        }),
      );
    });
  });
});

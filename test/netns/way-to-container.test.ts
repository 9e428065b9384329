/** The host's ways to containers of one subnet behind two bridges. Needs root. */
import { parseAddress } from "../../lib/addr/address.ts";
import { parsePrefix } from "../../lib/addr/prefix.ts";
import { ensureWayTo, removeWayTo } from "../../lib/host/addressing/way-to-container.ts";
import { requireLink } from "../../lib/host/links.ts";
import { NetnsSide } from "../support/kernel/netns-side.ts";

describe.each([
  {
    family: 4,
    subnet: "10.93.0.0/24",
    gateway: "10.93.0.1/24",
    address: "10.93.0.20",
    part: "10.93.0.16/28",
  },
  { family: 6, subnet: "fd93::/64", gateway: "fd93::1/64", address: "fd93::20", part: "fd93::/96" },
])("one subnet behind two bridges, IPv$family", ({ family, subnet, gateway, address, part }) => {
  let side: NetnsSide;
  const ip = (words: string) => side.shown.ip(`-${family}`, ...words.split(" "));
  const way = () => side.shown.show<{ dev: string }>(`-${family}`, "route", "get", address)[0]?.dev;
  const to = (bridge: string) => ({
    link: requireLink(side.connection, bridge),
    address: parseAddress(address),
    subnet: parsePrefix(subnet),
  });

  beforeEach(() => {
    side = new NetnsSide("fl-way");
    for (const bridge of ["br1", "br2"]) {
      ip(`link add ${bridge} up type bridge`);
      ip(`link add ${bridge}p up type veth peer name ${bridge}q`);
      ip(`link set ${bridge}q up`);
      ip(`link set ${bridge}p master ${bridge}`);
      ip(`address add ${gateway} dev ${bridge} ${family === 6 ? "nodad" : ""}`.trim());
    }
  });
  afterEach(() => side.close());

  test("behind the second bridge a container gets a route, behind the first it needs none", () => {
    expect(way()).toBe("br1");
    expect(ensureWayTo(side.connection, to("br1"))).toBe(false);
    expect(ensureWayTo(side.connection, to("br2"))).toBe(true);
    expect(way()).toBe("br2");
    const place = to("br2");
    expect(side.sendsOf(() => ensureWayTo(side.connection, place))).toBe(1);
    for (let twice = 0; twice < 2; twice++) removeWayTo(side.connection, parseAddress(address));
    expect(way()).toBe("br1");
  });

  test("a way that was left behind leads to the container that has the address now", () => {
    ensureWayTo(side.connection, to("br2"));
    expect(ensureWayTo(side.connection, to("br1"))).toBe(true);
    expect(way()).toBe("br1");
    expect(ip(`route show ${address}`).trim().split("\n")).toHaveLength(1);
  });

  test("somebody else's route that is more specific stays, and is not removed", () => {
    ip("link add tun type veth peer name tun1");
    ip("link set tun up");
    ip("link set tun1 up");
    ip(`route add ${part} dev tun`);
    expect(ensureWayTo(side.connection, to("br2"))).toBe(false);
    removeWayTo(side.connection, parseAddress(address));
    expect(way()).toBe("tun");
  });
});

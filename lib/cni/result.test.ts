import fc from "fast-check";
import type { JsonObject } from "./json.ts";
import {
  EMPTY_DNS,
  EMPTY_RESULT,
  familyOf,
  formatResult,
  hasDns,
  parseResult,
  type Result,
  requireRepresentable,
} from "./result.ts";
import { CNI_VERSIONS, type CniVersion } from "./versions.ts";

const READING = { operation: "read result", fault: "decode-failure" } as const;

const FULL: Result = {
  interfaces: [
    { name: "cni0", mac: "00:11:22:33:44:55", mtu: 1500 },
    {
      name: "eth0",
      mac: "99:88:77:66:55:44",
      mtu: 1400,
      sandbox: "/run/netns/c1",
      socketPath: "/s",
      pciID: "8086:9a01",
    },
  ],
  ips: [
    { address: "10.1.0.5/16", gateway: "10.1.0.1", interface: 1 },
    { address: "2001:db8::42/64", gateway: "2001:db8::1", interface: 0 },
  ],
  routes: [
    { dst: "0.0.0.0/0" },
    { dst: "2001:db8:1::/64", gw: "2001:db8::9" },
    { dst: "10.9.0.0/16", gw: "10.1.0.9", mtu: 1300, advmss: 1260, priority: 50, table: 0, scope: 0 },
  ],
  dns: { nameservers: ["10.1.0.1"], domain: "example.com", search: ["a", "b"], options: ["ndots:2"] },
};

const DNS = {
  nameservers: ["10.1.0.1"],
  domain: "example.com",
  search: ["a", "b"],
  options: ["ndots:2"],
};

/** FULL, written down in each version's own shape. */
const OLD = {
  ip4: {
    ip: "10.1.0.5/16",
    gateway: "10.1.0.1",
    routes: [{ dst: "0.0.0.0/0" }, { dst: "10.9.0.0/16", gw: "10.1.0.9" }],
  },
  ip6: {
    ip: "2001:db8::42/64",
    gateway: "2001:db8::1",
    routes: [{ dst: "2001:db8:1::/64", gw: "2001:db8::9" }],
  },
  dns: DNS,
};
const MIDDLE = {
  interfaces: [
    { name: "cni0", mac: "00:11:22:33:44:55" },
    { name: "eth0", mac: "99:88:77:66:55:44", sandbox: "/run/netns/c1" },
  ],
  ips: [
    { version: "4", address: "10.1.0.5/16", gateway: "10.1.0.1", interface: 1 },
    { version: "6", address: "2001:db8::42/64", gateway: "2001:db8::1", interface: 0 },
  ],
  routes: FULL.routes,
  dns: DNS,
};
const NEW = { interfaces: FULL.interfaces, ips: FULL.ips, routes: FULL.routes, dns: DNS };

const SHAPES: Record<CniVersion, object> = {
  "0.1.0": OLD,
  "0.2.0": OLD,
  "0.3.0": MIDDLE,
  "0.3.1": MIDDLE,
  "0.4.0": MIDDLE,
  "1.0.0": NEW,
  "1.1.0": NEW,
};

describe("formatResult", () => {
  test.each(CNI_VERSIONS)("prints the shape of %s", (version) => {
    expect(formatResult(FULL, version)).toEqual({ cniVersion: version, ...SHAPES[version] });
  });

  test.each(["0.3.0", "0.3.1", "0.4.0"] as const)("%s prints an empty dns", (version) => {
    expect(formatResult(EMPTY_RESULT, version)).toEqual({ cniVersion: version, dns: {} });
  });

  test.each(["1.0.0", "1.1.0"] as const)("%s prints nothing that is empty", (version) => {
    expect(formatResult(EMPTY_RESULT, version)).toEqual({ cniVersion: version });
  });

  test.each(["0.1.0", "0.2.0"] as const)("%s prints one family alone", (version) => {
    const [ip] = FULL.ips;
    const result = { ...EMPTY_RESULT, ips: ip ? [ip] : [], routes: FULL.routes };
    expect(formatResult(result, version)).toEqual({ cniVersion: version, ip4: OLD.ip4, dns: {} });
  });
});

describe("requireRepresentable", () => {
  test.each(["0.1.0", "0.2.0"] as const)("%s needs an address", (version) => {
    expect(() => requireRepresentable([], version)).toThrow("cannot convert: no valid IP addresses");
    expect(() => formatResult(EMPTY_RESULT, version)).toThrow(
      expect.objectContaining({ code: "invalid-config" }),
    );
  });

  test.each(["0.1.0", "0.2.0"] as const)("%s holds one address per family", (version) => {
    const two = [{ address: "fd00::1/64" }, { address: "10.0.0.1/8" }, { address: "fd01::1/64" }];
    expect(() => requireRepresentable(two, version)).toThrow(
      `CNI version ${version} does not support more than 1 address per family`,
    );
    expect(() => requireRepresentable(two.slice(0, 2), version)).not.toThrow();
  });

  test.each(CNI_VERSIONS.slice(2))("%s holds anything", (version) => {
    expect(() => requireRepresentable([], version)).not.toThrow();
  });
});

describe("parseResult", () => {
  test.each(["1.0.0", "1.1.0"] as const)("reads everything of %s", (version) => {
    expect(parseResult(formatResult(FULL, version), version, READING)).toEqual(FULL);
  });

  test("reads what the reference bridge prints", () => {
    const raw = {
      cniVersion: "1.0.0",
      interfaces: [
        { name: "cni0", mac: "66:c1:b2:0b:8b:6d" },
        { name: "veth72a8e9fc", mac: "e6:c0:3d:2d:9a:5c" },
        { name: "eth0", mac: "0e:4e:d9:5b:25:7d", sandbox: "/var/run/netns/c1" },
      ],
      ips: [{ interface: 2, address: "10.22.0.2/16", gateway: "10.22.0.1" }],
      routes: [{ dst: "0.0.0.0/0" }],
      dns: {},
    };
    expect(parseResult(raw, "1.0.0", READING)).toEqual({
      interfaces: raw.interfaces,
      ips: raw.ips,
      routes: raw.routes,
      dns: EMPTY_DNS,
    });
  });

  test("reads capitalised keys, an unset gateway and zero interface details as absent", () => {
    const raw = {
      Interfaces: [{ Name: "eth0", Mtu: 0, Mac: "" }],
      Ips: [{ Address: "10.0.0.2/24", Gateway: "" }],
    };
    expect(parseResult(raw, "1.1.0", READING)).toEqual({
      ...EMPTY_RESULT,
      interfaces: [{ name: "eth0" }],
      ips: [{ address: "10.0.0.2/24" }],
    });
  });

  test.each([
    [{ ips: [{}] }, "ips[0].address: it is missing"],
    [{ ips: [{ address: "10.0.0.2" }] }, "ips[0].address"],
    [{ ips: [{ address: "10.0.0.2/33" }] }, "ips[0].address"],
    [{ ips: [{ address: "10.0.0.2/24", gateway: "gw" }] }, "ips[0].gateway"],
    [{ ips: [{ address: "10.0.0.2/24", interface: -1 }] }, "ips[0].interface"],
    [{ ips: {} }, "ips: it is an object"],
    [{ routes: [{ gw: "10.0.0.1" }] }, "routes[0].dst: it is missing"],
    [{ routes: [{ dst: "default" }] }, "routes[0].dst"],
    [{ dns: { nameservers: "10.0.0.1" } }, "dns.nameservers"],
    [{ interfaces: [{ mtu: "1500" }] }, "interfaces[0].mtu"],
  ])("%j is refused: %s", (raw, words) => {
    expect(() => parseResult(raw as JsonObject, "1.1.0", READING)).toThrow(
      expect.objectContaining({ code: "decode-failure", message: expect.stringContaining(words) }),
    );
  });

  test("an old family without an address is refused", () => {
    expect(() => parseResult({ ip4: { gateway: "10.0.0.1" } }, "0.2.0", READING)).toThrow("ip4.ip");
  });

  test("what is of another type in an old family is refused by its name", () => {
    const refused = expect.objectContaining({
      code: "decode-failure",
      message: expect.stringContaining("ip6.routes"),
    });
    expect(() => parseResult({ ip6: { ip: "fd00::2/64", routes: 5 } }, "0.2.0", READING)).toThrow(refused);
  });
});

test("each member alone is something that a dns object says", () => {
  expect(hasDns(EMPTY_DNS)).toBe(false);
  for (const [name, value] of Object.entries(DNS)) {
    const dns = { ...EMPTY_DNS, [name]: value };
    expect(hasDns(dns)).toBe(true);
    expect(formatResult({ ...EMPTY_RESULT, dns }, "1.1.0")["dns"]).toEqual({ [name]: value });
  }
});

// ---- properties

const v4 = fc.ipV4();
const v6 = fc.nat(0xfffe).map((last) => `2001:db8::${(last + 1).toString(16)}`);
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const u32 = fc.nat(0xffff_ffff);
const positive = fc.integer({ min: 1, max: 0xffff_ffff });
const word = fc.stringMatching(/^[a-z][a-z0-9.]{0,9}$/);

function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}

const address = fc.oneof(
  fc.tuple(v4, fc.nat(32)).map(([ip, length]) => ({ address: `${ip}/${length}` })),
  fc.tuple(v6, fc.nat(128)).map(([ip, length]) => ({ address: `${ip}/${length}` })),
);
const ip = fc
  .tuple(address, optional(fc.oneof(v4, v6)), optional(fc.nat(3)))
  .map(([{ address }, gateway, index]) => defined({ address, gateway, interface: index }));
const route = fc
  .tuple(
    address,
    fc.record({
      gw: optional(fc.oneof(v4, v6)),
      mtu: optional(positive),
      advmss: optional(positive),
      priority: optional(positive),
      table: optional(u32),
      scope: optional(fc.nat(255)),
    }),
  )
  .map(([{ address }, rest]) => ({ dst: address, ...defined(rest) }));
const link = fc
  .record({
    name: word,
    mac: optional(word),
    mtu: optional(positive),
    sandbox: optional(word),
    socketPath: optional(word),
    pciID: optional(word),
  })
  .map(defined);
const dns = fc.record({
  nameservers: fc.array(v4),
  domain: fc.oneof(fc.constant(""), word),
  search: fc.array(word),
  options: fc.array(word),
});
const result = fc.record({
  interfaces: fc.array(link),
  ips: fc.array(ip),
  routes: fc.array(route),
  dns,
}) as fc.Arbitrary<Result>;

/** What `version` can hold of a result. */
function heldBy(version: CniVersion, { interfaces, ips, routes, dns }: Result): Result {
  if (version === "1.0.0" || version === "1.1.0") return { interfaces, ips, routes, dns };
  if (version !== "0.1.0" && version !== "0.2.0") {
    const links = interfaces.map(({ name, mac, sandbox }) => defined({ name, mac, sandbox }));
    return { interfaces: links as Result["interfaces"], ips, routes, dns };
  }
  const inOrder = [4, 6].flatMap((family) => ips.filter((ip) => familyOf(ip.address) === family));
  const oldRoutes = inOrder.flatMap((ip) =>
    routes
      .filter((route) => familyOf(route.dst) === familyOf(ip.address))
      .map(({ dst, gw }) => defined({ dst, gw })),
  );
  return {
    interfaces: [],
    ips: inOrder.map(({ address, gateway }) => defined({ address, gateway })) as Result["ips"],
    routes: oldRoutes as Result["routes"],
    dns,
  };
}

function isRepresentable(version: CniVersion, { ips }: Result): boolean {
  if (version !== "0.1.0" && version !== "0.2.0") return true;
  const families = ips.map(({ address }) => familyOf(address));
  return families.length > 0 && new Set(families).size === families.length;
}

describe.each(CNI_VERSIONS)("down to %s and up again", (version) => {
  test("keeps what the version can hold, through JSON", () => {
    fc.assert(
      fc.property(result, (value) => {
        fc.pre(isRepresentable(version, value));
        const printed = JSON.parse(JSON.stringify(formatResult(value, version))) as JsonObject;
        expect(printed["cniVersion"]).toBe(version);
        expect(parseResult(printed, version, READING)).toEqual(heldBy(version, value));
      }),
    );
  });

  test("a second trip changes nothing", () => {
    fc.assert(
      fc.property(result, (value) => {
        fc.pre(isRepresentable(version, value));
        const once = formatResult(value, version);
        expect(formatResult(parseResult(once, version, READING), version)).toEqual(once);
      }),
    );
  });
});

test("an address that cannot be read is refused with what its parser says", () => {
  const result = { cniVersion: "1.0.0", ips: [{ address: "10.1.0.300/16" }] };
  expect(() => parseResult(result, "1.0.0", READING)).toThrow(/ips\[0\]\.address.*10\.1\.0\.300/u);
  expect(() => parseResult(result, "1.0.0", READING)).not.toThrow(/undefined/u);
});

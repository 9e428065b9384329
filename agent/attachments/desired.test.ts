import { aliasOf, hostIfnameOf } from "../../lib/host/attachment/alias.ts";
import { readCacheEntry } from "../../lib/runtime/cache.ts";
import { type Actual, faultsOf, hasLink, publishedText } from "./compare.ts";
import { type DesiredAttachment, desiredOf } from "./desired.ts";
import { boundHere } from "./evidence.ts";
import { askers, namesProblems } from "./names-probe.ts";

const KEY = { networkName: "web", containerId: "c1", ifname: "eth0" };
const BRIDGE = { type: "fairlead-bridge", bridge: "br0", hairpinMode: true, mtu: 1400, ipMasq: true };

interface EntryParts {
  readonly plugins?: readonly object[];
  readonly hostIfname?: string;
  readonly capabilityArgs?: object;
  readonly ips?: readonly object[];
  readonly dns?: object;
  readonly hasResult?: boolean;
}

const IPS = [
  { version: "4", address: "10.1.0.2/24", gateway: "10.1.0.1", interface: 2 },
  { version: "6", address: "fd00::2/64", interface: 2 },
];

function desired({
  plugins = [BRIDGE],
  hostIfname = hostIfnameOf(KEY),
  capabilityArgs = {},
  ips = IPS,
  dns,
  hasResult = true,
}: EntryParts = {}) {
  const result = {
    cniVersion: "0.3.1",
    interfaces: [
      { name: "br0" },
      { name: hostIfname },
      ...["eth0", "eth1"].map((name) => ({ name, sandbox: "/run/netns/c1" })),
      { name: "eth0" },
    ],
    ips,
    ...(dns && { dns }),
  };
  const entry = {
    kind: "cniCacheV1",
    containerId: KEY.containerId,
    ifName: KEY.ifname,
    networkName: KEY.networkName,
    netns: "/run/netns/c1",
    config: btoa(JSON.stringify({ cniVersion: "0.3.1", name: "web", plugins })),
    capabilityArgs,
    ...(hasResult && { result }),
  };
  const read = readCacheEntry(new TextEncoder().encode(JSON.stringify(entry)), "file");
  return read && desiredOf(read);
}

function needed(parts?: EntryParts): DesiredAttachment {
  const found = desired(parts);
  if (found === null) throw new Error("nothing is desired");
  return found;
}

test("the name server that is asked is one at a gateway, where the result names one", () => {
  const of = (dns: object) => needed({ dns }).nameServer;
  expect(of({ nameservers: ["192.0.2.53", "10.1.0.1"] })).toBe("10.1.0.1");
  expect(of({ nameservers: ["192.0.2.53"] })).toBeNull();
  expect(of({ search: ["example.org"] })).toBeNull();
});

const GOOD_PORT = {
  ifname: hostIfnameOf(KEY),
  alias: aliasOf(KEY),
  isUp: true,
  mtu: 1400,
  master: 7,
  hairpin: true,
  isolated: false,
};

function actual(port: Partial<typeof GOOD_PORT> = {}, rest: Partial<Actual> = {}): Actual {
  return {
    ports: new Map([[GOOD_PORT.ifname, { ...GOOD_PORT, ...port }]]),
    bridges: new Map([["br0", 7]]),
    published: new Set(),
    translates: true,
    masqueraded: new Set(["web"]),
    sourceChecked: new Set([GOOD_PORT.ifname]),
    tableWasLost: false,
    ...rest,
  };
}

test("the addresses are those of the attachment's link in the container, and those that name no interface", () => {
  const ip = { version: "4", gateway: "10.1.0.1" };
  const ips = [
    { ...ip, address: "10.1.0.1/24", interface: 0 },
    { ...ip, address: "10.1.0.2/24", interface: 2 },
    { ...ip, address: "10.1.0.3/24" },
    ...[1, 3, 4].map((at) => ({ ...ip, address: `10.1.0.1${at}/24`, interface: at })),
  ];
  expect(needed({ ips }).addresses).toEqual(["10.1.0.2", "10.1.0.3"]);
});

test("a link that is not there has no faults of its own", () => {
  expect(faultsOf(needed(), actual({}, { ports: new Map() }))).toEqual([]);
});

test("an entry of any version tells what the host should have, and asks for a CHECK in the newest", () => {
  const { requests, ...rest } = needed();
  expect(rest).toEqual({
    key: KEY,
    netns: "/run/netns/c1",
    hostIfname: hostIfnameOf(KEY),
    alias: aliasOf(KEY),
    bridge: "br0",
    hairpin: true,
    isolated: false,
    mtu: 1400,
    masquerades: true,
    checksSources: false,
    ports: [],
    addresses: ["10.1.0.2", "fd00::2"],
    nameServer: null,
    isLeased: false,
  });
  expect(requests.map(({ plugin, env }) => [plugin, env["CNI_COMMAND"], env["CNI_CONTAINERID"]])).toEqual([
    ["fairlead-bridge", "CHECK", "c1"],
  ]);
  expect(requests[0]?.env["CNI_PATH"]).toBe("");
  expect(JSON.parse(requests[0]?.config ?? "")).toMatchObject({
    cniVersion: "1.1.0",
    name: "web",
    prevResult: { cniVersion: "1.1.0", ips: [{ address: "10.1.0.2/24" }, { address: "fd00::2/64" }] },
  });
});

test("of a chain, the plugins that mend are asked, in its order", () => {
  const plugins = [BRIDGE, { type: "bandwidth" }, { type: "fairlead-portmap" }, { type: "tuning" }];
  expect(needed({ plugins }).requests.map(({ plugin }) => plugin)).toEqual([
    "fairlead-bridge",
    "fairlead-portmap",
  ]);
});

test.each([
  ["a chain of others", { plugins: [{ type: "bridge" }, { type: "fairlead-portmap" }] }],
  ["a link that another plugin made", { hostIfname: "veth0" }],
  ["an ADD whose result nobody kept", { hasResult: false }],
])("nothing is desired of %s", (_what, parts) => expect(desired(parts)).toBeNull());

test("without addresses there is nothing to masquerade, and no source to check", () => {
  const bridge = { ...BRIDGE, sourceCheck: true };
  expect(needed({ plugins: [bridge] })).toMatchObject({ masquerades: true, checksSources: true });
  expect(needed({ plugins: [bridge], ips: [] })).toMatchObject({ masquerades: false, checksSources: false });
});

test("a configuration that cannot be read says which key is wrong", () => {
  const read = () => desired({ plugins: [{ ...BRIDGE, mtu: "large" }] });
  expect(read).toThrow(expect.objectContaining({ code: "invalid-config", object: "mtu" }));
});

const MAPPINGS = {
  portMappings: [
    { hostPort: 80, containerPort: 8080, protocol: "TCP", range: 2 },
    { hostPort: 53, containerPort: 53, protocol: "udp", hostIP: "127.0.0.1" },
    { hostPort: 0, containerPort: 1, protocol: "tcp" },
  ],
};
const capabilities = { portMappings: true };

test.each([
  ["the bridge", [{ ...BRIDGE, publishPorts: true, capabilities }]],
  ["a plugin behind it", [BRIDGE, { type: "fairlead-portmap", capabilities }]],
])("ports that %s publishes are desired, for each family that they are reached by", (_what, plugins) => {
  const { ports } = needed({ plugins, capabilityArgs: MAPPINGS });
  expect(ports.map(({ protocol, family, hostPort }) => `${protocol}/${family}/${hostPort}`)).toEqual([
    "tcp/4/80",
    "tcp/4/81",
    "tcp/6/80",
    "tcp/6/81",
    "udp/4/53",
  ]);
});

test("a port that names no address is bound to the configuration's, and one that names no protocol is TCP's", () => {
  const plugins = [{ ...BRIDGE, publishPorts: true, hostBinding: "127.0.0.1", capabilities }];
  const portMappings = [
    { hostPort: 80, containerPort: 80 },
    { hostPort: 81, containerPort: 81, hostIP: "::1", protocol: "" },
  ];
  expect(needed({ plugins, capabilityArgs: { portMappings } }).ports).toEqual([
    { protocol: "tcp", family: 4, hostPort: 80 },
    { protocol: "tcp", family: 6, hostPort: 81 },
  ]);
});

test("ports that nobody publishes are not missed", () => {
  expect(needed({ capabilityArgs: MAPPINGS }).ports).toEqual([]);
  const plugins = [{ ...BRIDGE, publishPorts: true }];
  expect(needed({ plugins, capabilityArgs: MAPPINGS }).ports).toEqual([]);
});

test("what is as it should be has no fault", () => expect(faultsOf(needed(), actual())).toEqual([]));

test.each([
  ["no port", actual({ master: 8 }), "no port of bridge br0"],
  ["of a bridge that is gone", actual({}, { bridges: new Map() }), "no port of bridge br0"],
  ["down", actual({ isUp: false }), "down"],
  ["of another MTU", actual({ mtu: 1280 }), "1280 instead of 1400"],
  ["without hairpin mode", actual({ hairpin: false }), "hairpin mode"],
  ["isolated", actual({ isolated: true }), "isolation"],
  ["not masqueraded", actual({}, { masqueraded: new Set() }), "not masqueraded"],
])("one that is %s has one fault", (_what, state, text) => {
  expect(faultsOf(needed(), state)).toEqual([expect.stringContaining(text)]);
});

test("of what is no port of its bridge, neither hairpin mode nor isolation is a fault beside that", () => {
  const faults = faultsOf(needed(), actual({ master: 8, hairpin: false, isolated: true }));
  expect(faults).toEqual([expect.stringContaining("no port of bridge br0")]);
});

test("where the configuration names no MTU, any is right", () => {
  const one = needed({ plugins: [{ ...BRIDGE, mtu: 0 }] });
  expect(faultsOf(one, actual({ mtu: 1280 }))).toEqual([]);
});

test("missing ports are named; all are missing where nothing is translated", () => {
  const one = needed({
    plugins: [{ ...BRIDGE, publishPorts: true, capabilities }],
    capabilityArgs: MAPPINGS,
  });
  const published = new Set(one.ports.map((port) => publishedText("web/c1/eth0", port)));
  expect(faultsOf(one, actual({}, { published }))).toEqual([]);
  published.delete(publishedText("web/c1/eth0", { protocol: "tcp", family: 6, hostPort: 81 }));
  expect(faultsOf(one, actual({}, { published }))).toEqual(["published ports are gone: tcp 81 (IPv6)"]);
  expect(faultsOf(one, actual({}, { published, translates: false }))[0]).toContain("tcp 80 (IPv4)");
});

test("one that may send from its own addresses alone is missed among those that are checked", () => {
  const one = needed({ plugins: [{ ...BRIDGE, sourceCheck: true }] });
  expect(faultsOf(one, actual())).toEqual([]);
  const unchecked = actual({}, { sourceChecked: new Set() });
  expect(faultsOf(one, unchecked)).toEqual(["its source addresses are not checked"]);
  expect(faultsOf(needed(), unchecked)).toEqual([]);
});

test("a link of that name without the attachment's alias is no evidence", () => {
  expect(hasLink(needed(), actual())).toBe(true);
  expect(hasLink(needed(), actual({ alias: "" }))).toBe(false);
  expect(hasLink(needed(), actual({}, { ports: new Map() }))).toBe(false);
});

test("only what is bound here with the same addresses, or is not the service's, may be touched", async () => {
  const plugins = [{ ...BRIDGE, ipam: { type: "fairlead-ipam" } }];
  const [leased, free] = [needed({ plugins }), needed()];
  const bound = async (node: string, addresses: readonly string[]): Promise<boolean[]> => {
    const endpoint = { ...KEY, node, addresses: addresses.map((address) => ({ address, gateway: null })) };
    const service = { listEndpoints: async () => [endpoint] } as unknown as Parameters<typeof boundHere>[0];
    const found = await boundHere(service, "n1", [leased, free]);
    return [found.has(leased), found.has(free)];
  };
  expect(await bound("n1", ["10.1.0.2/24", "fd00::2/64"])).toEqual([true, true]);
  expect(await bound("n2", ["10.1.0.2/24", "fd00::2/64"])).toEqual([false, true]);
  expect(await bound("n1", ["10.1.0.2/24"])).toEqual([false, true]);
});

describe("of several attachments", () => {
  const here = (containerId: string, isLeased = true): DesiredAttachment => ({
    ...needed(),
    key: { ...KEY, containerId },
    isLeased,
  });
  /** A service that knows these containers, with their addresses, on this node. */
  const knowing = (asked: object[], ...containers: readonly string[]) => {
    const addresses = needed().addresses.map((address) => ({ address, gateway: null }));
    const endpoints = containers.map((containerId) => ({ ...KEY, containerId, node: "n1", addresses }));
    const listEndpoints = async (filter: { containerId?: string }) => {
      asked.push(filter);
      return endpoints.filter(({ containerId }) => containerId === (filter.containerId ?? containerId));
    };
    return { listEndpoints } as unknown as Parameters<typeof boundHere>[0];
  };

  test("each may be touched by what the service says of it alone, and not where it says nothing", async () => {
    const asked: object[] = [];
    const [known, unknown, free] = [here("c1"), here("c2"), here("c3", false)];
    const bound = await boundHere(knowing(asked, "c1"), "n1", [known, unknown, free]);
    expect([...bound]).toEqual([known, free]);
    // Of what is not the service's it is not asked.
    expect(asked).toEqual([{ containerId: "c1" }, { containerId: "c2" }]);
  });

  test("up to sixteen containers are asked about one by one; of more everything is listed", async () => {
    const containers = Array.from({ length: 17 }, (_, at) => `c${at}`);
    for (const [count, questions] of [
      [16, containers.slice(0, 16).map((containerId) => ({ containerId }))],
      [17, [{}]],
    ] as const) {
      const asked: object[] = [];
      const wanted = containers.slice(0, count).map((containerId) => here(containerId));
      expect(await boundHere(knowing(asked, ...containers), "n1", wanted)).toEqual(new Set(wanted));
      expect(asked).toEqual(questions);
    }
  });

  test("names are asked for from a container of each network, of 64 at most", () => {
    const many = Array.from({ length: 70 }, (_, at) => ({
      ...needed(),
      nameServer: "10.1.0.1",
      key: { ...KEY, networkName: `net${at}` },
    }));
    expect(askers(many)).toEqual(many.slice(0, 64));
  });
});

test("who asks this network's gateway for names is asked once a network, and only silence is a problem", () => {
  const asking = { ...needed(), nameServer: "10.1.0.1" };
  const other = { ...asking, key: { ...KEY, networkName: "db", containerId: "c2" } };
  const asked = askers([needed(), asking, { ...asking, key: { ...KEY, containerId: "c3" } }, other]);
  expect(asked).toEqual([asking, other]);
  expect(namesProblems(asked, ["answered", "unknown"])).toEqual([]);
  expect(namesProblems(asked, [])).toEqual([]);
  expect(namesProblems(asked, ["refused", "silent"])).toEqual([
    {
      severity: "error",
      object: "names on network web",
      message: expect.stringContaining("nobody serves names"),
    },
    { severity: "error", object: "names on network db", message: expect.stringContaining("`input` drops") },
  ]);
});

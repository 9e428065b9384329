import type { JsonObject } from "../../lib/cni/json.ts";
import { readAddressConfig } from "./attachment.ts";
import { readIpamConfig } from "./ipam-config.ts";

const read = (raw: JsonObject, args: Record<string, string> = {}) =>
  readIpamConfig(readAddressConfig({ raw, networkName: "net" }), new Map(Object.entries(args)));

test("without ranges nothing is declared, and the rest has its defaults", () => {
  expect(read({ ipam: { type: "fairlead-ipam" } })).toEqual({
    declaration: undefined,
    rangeSetPlaces: [],
    requestedAddresses: [],
    names: [],
    stickyName: "",
    routes: [],
    resolvConf: "",
    socket: "/run/fairlead/fairlead.sock",
    stateDir: "/var/lib/fairlead",
    timeoutMs: 10_000,
  });
});

test("range sets come in host-local's order: the runtime's, the single one, the list", () => {
  const { declaration, rangeSetPlaces } = read({
    runtimeConfig: { ipRanges: [[{ subnet: "10.1.0.0/24" }]] },
    ipam: {
      type: "fairlead-ipam",
      subnet: "10.2.0.0/24",
      rangeStart: "10.2.0.9",
      rangeEnd: "10.2.0.99",
      gateway: "10.2.0.1",
      ranges: [[{ subnet: "10.3.0.0/24" }, { subnet: "10.4.0.0/24" }], [{ subnet: "fd00::/64" }]],
      addressSpace: "lab",
      coolingSeconds: 0,
    },
  });
  expect(declaration).toEqual({
    rangeSets: [
      [{ subnet: "10.1.0.0/24" }],
      [{ subnet: "10.2.0.0/24", rangeStart: "10.2.0.9", rangeEnd: "10.2.0.99", gateway: "10.2.0.1" }],
      [{ subnet: "10.3.0.0/24" }, { subnet: "10.4.0.0/24" }],
      [{ subnet: "fd00::/64" }],
    ],
    addressSpace: "lab",
    coolingSeconds: 0,
  });
  expect(rangeSetPlaces).toEqual([
    { path: "runtimeConfig.ipRanges[0]", isList: true },
    { path: "ipam", isList: false },
    { path: "ipam.ranges[0]", isList: true },
    { path: "ipam.ranges[1]", isList: true },
  ]);
});

test("a declaration says nothing of what the configuration leaves open", () => {
  const { declaration } = read({ ipam: { type: "fairlead-ipam", subnet: "10.2.0.0/24" } });
  expect(declaration).toStrictEqual({ rangeSets: [[{ subnet: "10.2.0.0/24" }]] });
});

test("requested addresses are the union of the three sources, without prefix lengths", () => {
  const { requestedAddresses } = read(
    {
      ipam: { type: "fairlead-ipam" },
      args: { cni: { ips: ["10.1.0.5/24", "fd00::5"] } },
      runtimeConfig: { ips: ["10.1.0.5", "10.1.0.7/32"] },
    },
    { IP: "10.1.0.4,10.1.0.5" },
  );
  expect(requestedAddresses).toEqual(["10.1.0.4", "10.1.0.5", "fd00::5", "10.1.0.7"]);
});

test("names are the pod's, those of args, and the aliases on this network, each once", () => {
  const aliases = { net: ["web", "shop"], other: ["db"] };
  const raw = { args: { cni: { names: ["front", "Web"] } }, runtimeConfig: { aliases } };
  expect(read(raw, { K8S_POD_NAME: "pod-7" }).names).toEqual(["pod-7", "front", "Web", "shop"]);
});

test.each([
  ["the pod and its namespace", { K8S_POD_NAME: "web-0", K8S_POD_NAMESPACE: "team1" }, "web-0.team1"],
  ["the container, as podman says it", { K8S_POD_NAME: "db", K8S_POD_NAMESPACE: "db" }, "db"],
  ["the container's own name, which comes first", {}, "front"],
])("the sticky name is %s", (_name, args, expected) => {
  expect(read({ args: { cni: { names: ["front", "alias"] } } }, args).stickyName).toBe(expected);
});

test("pods of one name in two namespaces have a name each that the other has not", () => {
  expect(read({}, { K8S_POD_NAME: "web-0", K8S_POD_NAMESPACE: "team1" }).names).toEqual([
    "web-0",
    "web-0.team1",
  ]);
  expect(read({}, { K8S_POD_NAME: "db", K8S_POD_NAMESPACE: "db" }).names).toEqual(["db"]);
  expect(read({}, { K8S_POD_NAMESPACE: "team1" }).names).toEqual([]);
});

test("an alias, which several containers may share, makes no sticky name", () => {
  expect(read({ runtimeConfig: { aliases: { net: ["shop"] } } }).stickyName).toBe("");
});

test("a name with a control character is refused", () => {
  expect(() => read({ args: { cni: { names: ["a\tb"] } } })).toThrow("args.cni.names");
});

test.each([
  [
    "a range without a subnet",
    { subnet: "10.9.0.0/24", ranges: [[{ subnet: "10.8.0.0/24" }, { rangeStart: "10.1.0.4" }]] },
    "ipam.ranges[0][1].subnet: a range names no subnet",
  ],
  ["a range that is text", { ranges: [["10.1.0.0/24"]] }, "ipam.ranges[0][0]: it is the string"],
  ["a subnet that is no text", { subnet: 10 }, "ipam.subnet: it is the number 10, expected a string"],
  [
    "an exclusion that is no text",
    { ranges: [[{ subnet: "10.1.0.0/24", exclude: [7] }]] },
    "ipam.ranges[0][0].exclude[0]: it is the number 7",
  ],
  ["ranges that are no lists", { ranges: [{ subnet: "10.1.0.0/24" }] }, "ipam.ranges[0]"],
  ["a time limit of a day", { timeoutSeconds: 86400 }, "ipam.timeoutSeconds"],
  ["a route without a destination", { routes: [{ gw: "10.1.0.1" }] }, "ipam.routes[0].dst"],
])("%s is refused with its place", (_name, ipam, place) => {
  expect(() => read({ ipam: { type: "fairlead-ipam", ...ipam } } as unknown as JsonObject)).toThrow(place);
});

test.each([
  [{ runtimeConfig: { ips: ["10.1.0.5", "10.1.0.300"] } }, {}, "runtimeConfig.ips[1]"],
  [{ args: { cni: { ips: ["ten"] } } }, {}, "args.cni.ips[0]"],
  [{}, { IP: "10.1.0.5/24,::ffff:10.1.0.6" }, "CNI_ARGS IP"],
  [{ runtimeConfig: { ips: ["10.1.0/16.5"] } }, {}, "runtimeConfig.ips[0]"],
])("a requested address that is none is refused with its place: %j %j", (raw, args, place) => {
  expect(() => read(raw, args)).toThrow(`read network configuration ${place}: the string`);
});

test("a range without a subnet in what the runtime adds is refused with its place", () => {
  expect(() => read({ runtimeConfig: { ipRanges: [[{ rangeStart: "10.1.0.4" }]] } })).toThrow(
    "runtimeConfig.ipRanges[0][0].subnet: a range names no subnet",
  );
});

test.each([
  [{ range: "10.1.0.0/24" }, "ipam.range", "subnet"],
  [{ range: [[{ subnet: "10.1.0.0/24" }]] }, "ipam.range", "ranges"],
  [{ Ranges: [[{ subnet: "10.1.0.0/24", gatway: "10.1.0.1" }]] }, "ipam.ranges[0][0].gatway", "gateway"],
  [{ "range-start": "10.1.0.5" }, "ipam.range-start", "rangeStart"],
  [{ gatway: "10.1.0.1" }, "ipam.gatway", "gateway"],
  [
    { ranges: [[{ subnet: "10.1.0.0/24", range_end: "10.1.0.9" }]] },
    "ipam.ranges[0][0].range_end",
    "rangeEnd",
  ],
  [{ ranges: [[{ subnet: "10.1.0.0/24", excludes: [] }]] }, "ipam.ranges[0][0].excludes", "exclude"],
])("a misspelt key %j is refused with the right one", (keys, place, meant) => {
  const raw = { ipam: { type: "fairlead-ipam", ...keys } } as unknown as JsonObject;
  expect(() => read(raw)).toThrow(place);
  expect(() => read(raw)).toThrow(`did you mean "${meant}"?`);
});

test("keys of others, and ours in any case, are no slips", () => {
  const ipam = {
    type: "fairlead-ipam",
    dataDir: "/x",
    RANGESTART: "10.1.0.5",
    Subnet: "10.1.0.0/24",
    vendor: 1,
    "": 2,
  };
  expect(read({ ipam } as unknown as JsonObject).declaration?.rangeSets[0]).toMatchObject([
    { rangeStart: "10.1.0.5" },
  ]);
});

test("exclude is declared with its range", () => {
  const ipam = { type: "fairlead-ipam", subnet: "10.1.0.0/24", exclude: ["10.1.0.0/28"] };
  expect(read({ ipam }).declaration?.rangeSets).toEqual([
    [{ subnet: "10.1.0.0/24", exclude: ["10.1.0.0/28"] }],
  ]);
});

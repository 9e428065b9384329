import { formatAddress, parseAddress } from "../../../lib/addr/address.ts";
import { CLASS_IN } from "../../../lib/dns/message.ts";
import { type TypeName, typeName } from "../../../lib/dns/record-types.ts";
import { reverseName } from "../../../lib/dns/reverse.ts";
import { endpointOf, networkOf, withNames } from "../../../test/support/dns/dns-fixture.ts";
import { Names } from "../names/names.ts";
import { decide } from "./decide.ts";

const names = new Names();
names.setNetworks([
  networkOf("frontend", { subnets: { "10.1.0.0/24": "10.1.0.1", "fd00:1::/64": "fd00:1::1" } }),
  networkOf("backend", { subnets: { "10.2.0.0/24": "10.2.0.1" } }),
  networkOf("net.v1", { subnets: { "10.3.0.0/24": "10.3.0.1" } }),
  networkOf("vault", { internal: true, subnets: { "10.4.0.0/24": "10.4.0.1" } }),
  networkOf("bridge", { origin: "predefined", subnets: { "10.9.0.0/24": "10.9.0.1" } }),
]);
const ENDPOINTS = [
  endpointOf("frontend", "web", ["10.1.0.2/24", "fd00:1::2/64"]),
  withNames(endpointOf("frontend", "v4only", ["10.1.0.3/24"]), ["v4only", "a.b"]),
  withNames(endpointOf("frontend", "nameless", ["10.1.0.4/24"]), []),
  withNames(endpointOf("backend", "db", ["10.2.0.2/24"]), ["db", "x.y"]),
  endpointOf("net.v1", "deep", ["10.3.0.2/24"]),
  withNames(endpointOf("net.v1", "other", ["10.3.0.3/24"]), ["web"]),
  endpointOf("vault", "safe", ["10.4.0.2/24"]),
  endpointOf("frontend", "both", ["10.1.0.5/24"]),
  endpointOf("vault", "both", ["10.4.0.5/24"]),
  endpointOf("bridge", "legacy", ["10.9.0.2/24"]),
];
for (const one of ENDPOINTS) {
  const { networkName, containerId } = one;
  names.setEndpoints({ networkName, containerId, endpoints: [one], links: [] });
}

interface From {
  readonly network: string;
  readonly source: string;
}

const WEB: From = { network: "frontend", source: "10.1.0.2" };
const DEEP: From = { network: "net.v1", source: "10.3.0.2" };
const SAFE: From = { network: "vault", source: "10.4.0.2" };
const BOTH: From = { network: "vault", source: "10.4.0.5" };
const LEGACY: From = { network: "bridge", source: "10.9.0.2" };

/** The decision in short: addresses, hosts, or its kind with the zone. */
function ask(
  name: string,
  type: TypeName | number = "A",
  { network, source, inClass = CLASS_IN }: From & { inClass?: number } = WEB,
) {
  const asker = names.askerAt(network, source);
  if (!asker) throw new Error("nobody asks");
  const decision = decide(names, asker, { name, type, class: inClass });
  if (decision.kind === "addresses") return decision.addresses.map(formatAddress);
  if (decision.kind === "pointers") return decision.hosts;
  return "zone" in decision ? `${decision.kind} ${decision.zone || "."}` : decision.kind;
}

const reverse = (text: string) => reverseName(parseAddress(text));

test.each<[string, TypeName | number, readonly string[] | string]>([
  ["web", "A", ["10.1.0.2"]],
  ["WEB", "AAAA", ["fd00:1::2"]],
  ["web", 255, ["10.1.0.2", "fd00:1::2"]],
  ["v4only", "AAAA", "no-data ."],
  ["v4only", "MX", "no-data ."],
  ["v4only", 65, "no-data ."],
  ["a.b", "A", ["10.1.0.3"]],
  ["web.frontend", "A", ["10.1.0.2"]],
  ["Web.FrontEnd", "TXT", "no-data frontend"],
  ["a.b.frontend", "A", ["10.1.0.3"]],
])("a name of the asker's network: %s %s", (name, type, expected) => {
  expect(ask(name, type)).toEqual(expected);
});

test("who is on two networks finds what is on either, by its full name", () => {
  expect(ask("web.frontend", "A", BOTH)).toEqual(["10.1.0.2"]);
  expect(ask("safe.vault", "A", BOTH)).toEqual(["10.4.0.2"]);
});

test.each<[string, TypeName, string]>([
  ["nosuch", "A", "no-name ."],
  ["nosuch", "AAAA", "no-name ."],
  ["db", "A", "no-name ."],
  ["nosuch.frontend", "A", "no-name frontend"],
  ["db.backend", "A", "no-name backend"],
  ["nosuch.backend", "MX", "no-name backend"],
  ["x.y.backend", "A", "no-name backend"],
  ["deep.net.v1", "A", "no-name net.v1"],
  ["legacy.bridge", "A", "no-name bridge"],
  ["localhost", "A", "no-name ."],
])("nothing of another network, and no single label, goes upstream: %s %s", (name, type, expected) => {
  expect(ask(name, type)).toBe(expected);
});

test.each([
  "example.com",
  "www.example.backend",
  "frontend.example.com",
  "",
  "backend.",
  "_sip._tcp.example",
])("%j goes upstream", (name) => {
  expect(ask(name)).toBe("forward");
});

test("both a name and a network's name may have dots", () => {
  expect(ask("deep.net.v1", "A", DEEP)).toEqual(["10.3.0.2"]);
  expect(ask("web.net.v1", "A", DEEP)).toEqual(["10.3.0.3"]);
  expect(ask("nosuch.net.v1", "A", DEEP)).toBe("no-name net.v1");
  expect(ask("net.v1", "A", DEEP)).toBe("forward");
});

test.each<[string, TypeName | number, readonly string[] | string]>([
  ["10.1.0.2", "PTR", ["web.frontend"]],
  ["fd00:1::2", "PTR", ["web.frontend"]],
  ["10.1.0.2", 255, ["web.frontend"]],
  ["10.1.0.2", "A", "no-data 0.1.10.in-addr.arpa"],
  ["10.1.0.4", "PTR", "no-name 0.1.10.in-addr.arpa"],
  ["10.1.0.99", "PTR", "no-name 0.1.10.in-addr.arpa"],
  ["10.2.0.2", "PTR", "no-name 0.2.10.in-addr.arpa"],
  ["10.9.0.2", "PTR", "no-name 0.9.10.in-addr.arpa"],
  ["192.0.2.1", "PTR", "forward"],
  ["2001:db8::1", "PTR", "forward"],
])("the reverse of %s as %s", (address, type, expected) => {
  expect(ask(reverse(address), type)).toEqual(expected);
});

test("a dotted name on one of two networks whose names differ in case alone is ours", () => {
  const cased = new Names();
  const [lower, upper] = ["lab", "LAB"].map((name, at) =>
    networkOf(name, { subnets: { [`10.${at + 5}.0.0/24`]: `10.${at + 5}.0.1` } }),
  );
  cased.setNetworks([lower, upper].flatMap((one) => one ?? []));
  const endpoints = [withNames(endpointOf("LAB", "dotted", ["10.6.0.2/24"]), ["x.y"])];
  cased.setEndpoints({ networkName: "LAB", containerId: "dotted", endpoints, links: [] });
  const asker = cased.askerAt("lab", "10.5.0.1");
  if (!asker) throw new Error("nobody asks");
  const question = { name: "x.y.lab", type: "A" as const, class: CLASS_IN };
  expect(decide(cased, asker, question)).toEqual({ kind: "no-name", zone: "lab" });
});

test("from an internal network nothing goes upstream, unless the asker is on another one too", () => {
  expect(ask("example.com", "A", SAFE)).toBe("refused");
  expect(ask("safe", "A", SAFE)).toEqual(["10.4.0.2"]);
  expect(ask("nosuch", "A", SAFE)).toBe("no-name .");
  expect(ask("example.com", "A", BOTH)).toBe("forward");
  expect(ask("web", "A", BOTH)).toEqual(["10.1.0.2"]);
});

test("on the predefined bridge no name is served, and the world is", () => {
  expect(ask("legacy", "A", LEGACY)).toBe("no-name .");
  expect(ask("legacy.bridge", "A", LEGACY)).toBe("no-name bridge");
  expect(ask("example.com", "A", LEGACY)).toBe("forward");
});

test("other classes and zone transfers are refused", () => {
  expect(ask("web", "A", { ...WEB, inClass: 3 })).toBe("refused");
  expect(ask("web", 252)).toBe("refused");
  expect(ask("frontend", typeName(251))).toBe("refused");
});

test("a container's own name servers are for other names, and for it alone", () => {
  const own = [{ address: "192.0.2.53", port: 5353 }];
  const set = (network: string, address: string, upstreams: typeof own) => {
    const endpoints = [endpointOf(network, "odd", [address])];
    names.setEndpoints({ networkName: network, containerId: "odd", endpoints, links: [], upstreams });
  };
  const decisionOf = (name: string, source: string, network = "frontend") => {
    const asker = names.askerAt(network, source);
    return asker && decide(names, asker, { name, type: "A", class: CLASS_IN });
  };
  set("frontend", "10.1.0.9/24", own);
  expect(decisionOf("example.com", "10.1.0.9")).toEqual({ kind: "forward", upstreams: own });
  expect(decisionOf("example.com", "10.1.0.2")).toEqual({ kind: "forward", upstreams: [] });
  expect(decisionOf("example.com", "10.1.0.1")).toEqual({ kind: "forward", upstreams: [] });
  expect(decisionOf("web", "10.1.0.9")).toMatchObject({ kind: "addresses" });
  for (const name of ["nosuch", "db.backend"])
    expect(decisionOf(name, "10.1.0.9")).toMatchObject({ kind: "no-name" });
  // From whichever of its networks, as long as one has a way out.
  set("vault", "10.4.0.9/24", own);
  expect(decisionOf("example.com", "10.4.0.9", "vault")).toEqual({ kind: "forward", upstreams: own });
  names.setEndpoints({ networkName: "frontend", containerId: "odd", endpoints: [], links: [] });
  expect(decisionOf("example.com", "10.4.0.9", "vault")).toEqual({ kind: "refused" });
  // Gone with the container's last network.
  names.setEndpoints({ networkName: "vault", containerId: "odd", endpoints: [], links: [] });
  const endpoints = [endpointOf("frontend", "odd", ["10.1.0.9/24"])];
  names.setEndpoints({ networkName: "frontend", containerId: "odd", endpoints, links: [] });
  expect(decisionOf("example.com", "10.1.0.9")).toEqual({ kind: "forward", upstreams: [] });
});

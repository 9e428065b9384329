import { type ErrorCode, FairleadError } from "../../lib/errors.ts";
import { bootId, hostname } from "../../lib/linux/processes/machine.ts";
import { aliasOf, hostIfnameOf } from "../attachment-names.ts";
import { type Holder, holderInTheWay, releaseIfGone } from "./gone-holder.ts";

const HELD = {
  state: "bound",
  address: "10.1.0.2",
  containerId: "c1",
  ifname: "eth0",
  node: "n1",
  bootId: "b1",
  mac: "02:00:00:00:00:01",
  sequence: 7,
};

const inTheWay = (details: Record<string, unknown>, code: ErrorCode = "address-in-use") =>
  holderInTheWay(new FairleadError({ code, operation: "acquire", reason: "", details }), "net");

test("a refusal names who holds the address, and by which grant", () => {
  expect(inTheWay(HELD)).toEqual({
    key: { networkName: "net", containerId: "c1", ifname: "eth0" },
    address: "10.1.0.2",
    sequence: 7,
    node: "n1",
    bootId: "b1",
    mac: "02:00:00:00:00:01",
  });
});

test.each([
  ["it is refused for something else", HELD, "pool-exhausted"],
  ["the address is reserved", { ...HELD, state: "reserved" }, "address-in-use"],
  ["the service does not say by which grant", { ...HELD, sequence: undefined }, "address-in-use"],
  ["the service is older, and says nothing", {}, "address-in-use"],
] as const)("nobody is in the way where %s", (_what, details, code) => {
  expect(inTheWay(details, code)).toBeNull();
});

/** What there is on the host: by default nothing of the holder's. */
let mockHost = { isBusy: false, link: false, aliases: [""], netns: null as string | null };
let mockEvents: string[] = [];
jest.mock("../attachment-order.ts", () => ({
  tryHoldAttachment: () => {
    mockEvents.push("hold");
    return mockHost.isBusy ? null : () => mockEvents.push("let go");
  },
}));
jest.mock("../other-managers.ts", () => ({ livingNamespaceOf: () => mockHost.netns }));
jest.mock("../../lib/host/links.ts", () => ({ findLink: () => (mockHost.link ? {} : null) }));
jest.mock("../../lib/host/attachment/ports.ts", () => ({
  listAttachmentPorts: () => new Map(mockHost.aliases.map((alias, at) => [at, { alias }])),
}));
jest.mock("../../lib/linux/sockets/host-netlink.ts", () => ({
  openHostNetlinkSocket: () => ({ close: () => mockEvents.push("close") }),
}));
beforeEach(() => {
  mockHost = { isBusy: false, link: false, aliases: [""], netns: null };
  mockEvents = [];
});

const key = { networkName: "net", containerId: "c1", ifname: "eth0" };
const here = { key, node: hostname(), bootId: bootId(), mac: HELD.mac, address: HELD.address, sequence: 7 };
const release = (evidence: string) => void mockEvents.push(`release: ${evidence}`);

test("a holder of this node without a call, a link or a namespace is gone: it is released while it is held", () => {
  const evidence = releaseIfGone(here, release);
  expect(evidence).toContain(`it has no link ${hostIfnameOf(key)}`);
  expect(mockEvents).toEqual(["hold", "close", `release: ${evidence}`, "let go"]);
});

test("its attachment is let go, although the service refuses", () => {
  const refuse = () => {
    throw new Error("refused");
  };
  expect(() => releaseIfGone(here, refuse)).toThrow("refused");
  expect(mockEvents.at(-1)).toBe("let go");
});

test.each<[string, Partial<Holder>]>([
  ["another node", { node: "elsewhere" }],
  ["an earlier boot", { bootId: "earlier" }],
  ["another plugin than ours", { mac: "" }],
])("nothing is taken from a holder of %s, of whom nobody here can tell", (_what, more) => {
  expect(releaseIfGone({ ...here, ...more }, release)).toBeNull();
  expect(mockEvents).toEqual([]);
});

test.each<[string, Partial<typeof mockHost>, string[]]>([
  ["a call is under way", { isBusy: true }, ["hold"]],
  ["there is a link of its name", { link: true }, ["hold", "close", "let go"]],
  ["a link is its own by another name", { aliases: ["", aliasOf(key)] }, ["hold", "close", "let go"]],
  ["somebody has a record of its namespace", { netns: "/run/netns/c1" }, ["hold", "close", "let go"]],
])("nothing is taken from a holder where %s", (_what, host, events) => {
  Object.assign(mockHost, host);
  expect(releaseIfGone(here, release)).toBeNull();
  expect(mockEvents).toEqual(events);
});

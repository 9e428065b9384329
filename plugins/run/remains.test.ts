import type { JsonObject } from "../../lib/cni/json.ts";
import type { PluginIo } from "../../lib/cni/run-plugin.ts";
import { takeRemainsFromStdin } from "./remains.ts";

const NAME = "0123456789abcdef";
const key = { networkName: "net", containerId: "c1", ifname: "eth0" };
const ADD = {
  plugin: "fairlead-bridge",
  key,
  env: { CNI_COMMAND: "ADD", CNI_CONTAINERID: "c1", CNI_NETNS: "/run/netns/c1" },
  config: { name: "net" },
  hostNetns: "own",
};

/** What is found on the host; by default an ADD of ours that nobody answers for, and ports whose link is gone. */
const FOUND = {
  isFree: true,
  word: ADD as typeof ADD | null,
  netns: null as string | null,
  goneLink: "veth1" as string | null,
};
let mockFound = FOUND;
let mockEvents: string[] = [];
let mockStdin = "";
let mockTold: string[] = [];
jest.mock("../io.ts", () => ({
  pluginIo: () => ({
    readStdin: () => new TextEncoder().encode(mockStdin),
    writeStdout: (bytes: Uint8Array) => mockTold.push(new TextDecoder().decode(bytes)),
  }),
}));
jest.mock("../../lib/host/attachment/unfinished-adds.ts", () => ({
  ownNetns: () => "own",
  readWord: () => mockFound.word,
  removeWord: (name: string) => mockEvents.push(`remove word ${name}`),
}));
jest.mock("../../lib/host/locks/attachments.ts", () => ({
  attachmentLockOffsetOfHash: () => 1n,
  openAttachmentLocks: () => ({ tryLock: () => mockFound.isFree, close: () => mockEvents.push("let go") }),
}));
jest.mock("../attachment-order.ts", () => ({
  AttachmentLocks: class {
    tryHold() {
      return mockFound.isFree ? () => undefined : null;
    }
    close() {
      mockEvents.push("let go");
    }
  },
}));
jest.mock("../other-managers.ts", () => ({
  livingNamespaceOf: (_key: unknown, records: string) => {
    mockEvents.push(`look into ${records}`);
    return mockFound.netns;
  },
}));
jest.mock("../published-ports.ts", () => ({
  PUBLISHING_SOCKET: {},
  unpublishIfGone: ({ containerId }: typeof key) => {
    mockEvents.push(`unpublish ${containerId} if its link is gone`);
    return mockFound.goneLink;
  },
}));
jest.mock("../../lib/host/netlink.ts", () => ({
  HostNetlink: class {
    close() {
      mockEvents.push("close");
    }
  },
}));
beforeEach(() => {
  mockEvents = [];
  mockTold = [];
});

let deleted: JsonObject[] = [];
/** The plugin's DEL, which ends so. */
const del = (exitCode: number) => (io: PluginIo) => {
  const config = JSON.parse(new TextDecoder().decode(io.readStdin(1000)));
  deleted.push({ env: { ...io.env }, config, netns: io.identifyNetns("/run/netns/c1") } as JsonObject);
  if (exitCode !== 0) io.writeStdout(new TextEncoder().encode("no way"));
  return exitCode;
};

/** Asks about each, one after the other. */
function take(requests: readonly object[], found: Partial<typeof FOUND> = {}, exitCode = 0): JsonObject[] {
  mockFound = { ...FOUND, ...found };
  deleted = [];
  mockStdin = requests.map((request) => `${JSON.stringify(request)}\n`).join("");
  expect(takeRemainsFromStdin(new Map([["fairlead-bridge", del(exitCode)]]))).toBe(0);
  return mockTold
    .join("")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

const UNFINISHED = { kind: "unfinished-add", name: NAME, records: "/records" };
const PORTS = { kind: "ports", key, records: "/records" };

test("an ADD that was killed is taken back by its plugin's DEL, without a namespace", () => {
  expect(take([UNFINISHED])).toEqual([
    { outcome: "taken", attachment: "net/c1/eth0", reason: expect.stringContaining("was killed") },
  ]);
  const env = { CNI_COMMAND: "DEL", CNI_CONTAINERID: "c1", CNI_NETNS: "" };
  expect(deleted).toEqual([{ env, config: { name: "net" }, netns: "absent" }]);
  expect(mockEvents).toEqual(["look into /records", "let go"]);
});

test.each<[string, Partial<typeof FOUND>, string]>([
  ["busy", { isFree: false }, NAME],
  ["foreign", { word: { ...ADD, hostNetns: "another" } }, "net/c1/eth0"],
  ["kept", { netns: "/run/netns/c1" }, "net/c1/eth0"],
  ["kept", { word: { ...ADD, plugin: "fairlead-macvlan" } }, "net/c1/eth0"],
])("an ADD that may be somebody's is %s: %j", (outcome, found, attachment) => {
  expect(take([UNFINISHED], found)).toEqual([{ outcome, attachment, reason: expect.any(String) }]);
  expect(deleted).toEqual([]);
  expect(mockEvents.filter((event) => event.startsWith("remove"))).toEqual([]);
  expect(mockEvents.at(-1)).toBe("let go");
});

test("word of nothing is removed", () => {
  expect(take([UNFINISHED], { word: null })).toMatchObject([{ outcome: "over", attachment: NAME }]);
  expect(mockEvents).toEqual([`remove word ${NAME}`, "let go"]);
});

test("a DEL that fails is told with what the plugin said", () => {
  expect(take([UNFINISHED], {}, 1)).toEqual([
    { outcome: "failed", attachment: "net/c1/eth0", reason: "no way" },
  ]);
});

test("ports whose link is gone are taken back", () => {
  expect(take([PORTS])).toMatchObject([{ outcome: "taken", attachment: "net/c1/eth0" }]);
  expect(mockEvents).toEqual(["look into /records", "unpublish c1 if its link is gone", "close", "let go"]);
});

test.each<[string, Partial<typeof FOUND>, boolean]>([
  ["busy", { isFree: false }, false],
  ["kept", { netns: "/run/netns/c1" }, false],
  ["kept", { goneLink: null }, true],
])("ports that may be somebody's are %s: %j", (outcome, found, isTried) => {
  expect(take([PORTS], found)).toMatchObject([{ outcome, attachment: "net/c1/eth0" }]);
  expect(mockEvents.some((event) => event.startsWith("unpublish"))).toBe(isTried);
  expect(mockEvents.slice(-2)).toEqual(["close", "let go"]);
});

test("one that fails keeps none of the others from being taken", () => {
  const broken = { ...ADD, key: null } as unknown as typeof ADD;
  expect(take([UNFINISHED, PORTS], { word: broken })).toMatchObject([
    { outcome: "failed", attachment: NAME },
    { outcome: "taken", attachment: "net/c1/eth0" },
  ]);
});

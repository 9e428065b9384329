import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "../../lib/cni/json.ts";
import { EMPTY_RESULT } from "../../lib/cni/result.ts";
import type { beginExchange } from "../../lib/linux/sockets/stream-socket.ts";
import {
  ATTEMPT,
  away,
  centralOf,
  done,
  granted,
  INSTANT,
  lost,
  refused,
  released,
  useScriptedIpam,
} from "../../test/support/plugins/scripted-ipam.ts";
import { writeReleaseIntent } from "./release-intents.ts";

const mockScene = useScriptedIpam();
jest.mock("../../lib/linux/sockets/stream-socket.ts", () => ({
  beginExchange: (...asked: Parameters<typeof beginExchange>) => mockScene.service.begin(...asked),
}));
let mockElapsedMs = 0;
jest.mock("../../lib/linux/files/stdio.ts", () => ({
  ...jest.requireActual<object>("../../lib/linux/files/stdio.ts"),
  sleepMs: (ms: number) => {
    mockElapsedMs += ms;
  },
}));

const NETWORK = "central-ipam-test";
const key = { networkName: NETWORK, containerId: "c1", ifname: "eth0" };

const central = centralOf(mockScene, NETWORK);

const RANGE = { subnet: "10.1.0.0/24" };

describe("release", () => {
  test.each([
    [released("10.1.0.2"), true],
    [released(), false],
  ])("tells whether anything was released (%j)", (answer, expected) => {
    mockScene.service.answers(answer);
    expect(central().release(key)).toBe(expected);
    expect(mockScene.service.asked).toEqual([["attachments/release", { key, attempt: ATTEMPT }]]);
  });

  test.each([[away], [lost("timeout")]])("that cannot be told is on disk (%j)", (answer) => {
    mockScene.service.answers(answer);
    expect(central().release(key)).toBe(false);
    expect(mockScene.intents()).toEqual([{ key, at: INSTANT, attempt: ATTEMPT }]);
    expect(mockScene.log).toEqual([
      expect.stringContaining("told to fail"),
      expect.stringContaining("kept in"),
    ]);
  });

  test("that is refused is an error, and nothing is kept", () => {
    mockScene.service.answers(refused("permission-denied"));
    expect(() => central().release(key)).toThrow(expect.objectContaining({ code: "permission-denied" }));
    expect(readdirSync(mockScene.directory)).toEqual([]);
  });
});

test("whether an attachment was served: by network and interface, for the service answers for the container", () => {
  const answer = (...leases: object[]) => mockScene.service.answers(done({ leases }));
  const { networkName, ifname } = key;
  answer({ networkName: "other", ifname }, { networkName, ifname: "eth1" });
  expect(central().hasServed(key)).toBe(false);
  answer({ networkName: "other", ifname }, { networkName, ifname });
  expect(central().hasServed(key)).toBe(true);
  expect(mockScene.service.whats).toEqual(["leases?containerId=c1", "leases?containerId=c1"]);
});

test("a service is in use where its socket is, or its state", () => {
  expect(central().isInUse).toBe(false);
  expect(central({ socket: mockScene.directory }).isInUse).toBe(true);
  expect(central({ stateDir: mockScene.directory }).isInUse).toBe(true);
});

test("CHECK compares all addresses of the result with what is held", () => {
  mockScene.service.answers(done(), refused("check-failed"));
  const prevResult = { ...EMPTY_RESULT, ips: [{ address: "10.1.0.2/24" }, { address: "fd00::2/64" }] };
  central().verify(key, prevResult);
  expect(mockScene.service.asked).toEqual([
    ["attachments/verify", { key, addresses: ["10.1.0.2/24", "fd00::2/64"] }],
  ]);
  expect(() => central().verify(key, prevResult)).toThrow(expect.objectContaining({ code: "check-failed" }));
});

test("GC names the attachments that are valid, and tells those that were released", () => {
  const stale = { ...key, containerId: "old" };
  const validAttachments = [{ containerId: "c1", ifname: "eth0" }];
  mockScene.service.answers(done({ released: [stale] }));
  expect(central().gc(validAttachments)).toEqual([stale]);
  expect(mockScene.service.asked).toEqual([["attachments/gc", { networkName: NETWORK, validAttachments }]]);
});

test("GC makes up for pending releases first", () => {
  writeReleaseIntent(mockScene.stateDir, { key, attempt: "del" });
  mockScene.service.answers(released("10.1.0.2"), done({ released: [] }));
  central().gc([]);
  expect(mockScene.service.whats).toEqual(["attachments/release", "attachments/gc"]);
});

describe("STATUS", () => {
  const refusal = (reason: string) =>
    expect.objectContaining({ code: "plugin-unavailable", object: NETWORK, reason });

  test("asks about what the network declares", () => {
    mockScene.service.answers(done({ ready: true }), done({ ready: true }));
    central(RANGE).requireReady();
    central().requireReady();
    expect(mockScene.service.asked).toStrictEqual([
      ["networks/status", { networkName: NETWORK, declaration: { rangeSets: [[RANGE]] } }],
      ["networks/status", { networkName: NETWORK }],
    ]);
  });

  test("fails for the service's reason, in the places of the configuration", () => {
    mockScene.service.answers(done({ ready: false, reason: "rangeSets[0][0] is full" }));
    expect(() => central(RANGE).requireReady()).toThrow(refusal("ipam is full"));
  });

  test("fails where the service cannot be asked", () => {
    mockScene.service.answers(away);
    expect(() => central().requireReady()).toThrow(refusal(expect.stringContaining("told to fail") as never));
  });
});

describe("a service that is away for a moment", () => {
  const acquire = (keys: JsonObject = {}) => central(keys).beginAcquire(key).finish();
  const unavailable = expect.objectContaining({ code: "unavailable" });
  beforeEach(() => {
    mkdirSync(mockScene.stateDir);
    mockElapsedMs = 0;
    jest.spyOn(performance, "now").mockImplementation(() => mockElapsedMs);
  });
  afterEach(() => jest.restoreAllMocks());

  test("is asked again, where a service is in use", () => {
    mockScene.service.answers(away, lost("unavailable"), granted());
    expect(acquire().ips).toHaveLength(1);
    expect(mockScene.log).toEqual([expect.stringContaining("trying again for a while")]);
  });

  test("is not waited for where none is in use", () => {
    mockScene.service.answers(away);
    expect(() => acquire({ stateDir: join(mockScene.directory, "none") })).toThrow(unavailable);
    expect(mockScene.service.asked).toHaveLength(1);
  });

  test("is not asked twice for what it may not do twice", () => {
    mockScene.service.answers(lost("unavailable"));
    expect(() => central().gc([])).toThrow(unavailable);
    expect(mockScene.service.asked).toHaveLength(1);
  });

  test.each([
    [4, 2000],
    [60, 5000],
  ])("with a time limit of %d s it is waited for during %d ms", (timeoutSeconds, expectedMs) => {
    mockScene.service.answers(...Array.from({ length: 500 }, () => away));
    expect(() => acquire({ timeoutSeconds })).toThrow(unavailable);
    expect(mockElapsedMs).toBe(expectedMs);
  });
});

test("a service that is older than the plugin is asked without what it does not know, and the log says so", () => {
  const unknown = { object: "body", details: { unknownField: "canSurvey" } };
  mockScene.service.answers(refused("invalid-config", unknown), granted());
  central(RANGE).beginAcquire(key).finish();
  expect(mockScene.service.asked[1]?.[1]).not.toHaveProperty("canSurvey");
  expect(mockScene.log).toEqual([expect.stringContaining("is asked without canSurvey")]);
});

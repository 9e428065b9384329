import type { JsonObject } from "../../../lib/cni/json.ts";
import type { beginExchange } from "../../../lib/linux/sockets/stream-socket.ts";
import {
  done,
  granted,
  leased,
  lost,
  refused,
  released,
  type ScriptedAnswer,
  useScriptedIpam,
} from "../../../test/support/plugins/scripted-ipam.ts";
import { main } from "./main.ts";

const mockScene = useScriptedIpam();
jest.mock("../../../lib/linux/sockets/stream-socket.ts", () => ({
  beginExchange: (...asked: Parameters<typeof beginExchange>) => mockScene.service.begin(...asked),
}));

const NETWORK = "ipam-main-test";
const key = { networkName: NETWORK, containerId: "c1", ifname: "eth0" };
const TWO = granted([leased("10.1.0.2", { sequence: 7 }), leased("10.2.0.2", { sequence: 8 })]);

/** Runs the plugin; `told` is what it printed. */
function run(verb: string, answers: readonly ScriptedAnswer[], { cniArgs = "", ...more }: JsonObject = {}) {
  mockScene.service.answers(...answers);
  const config = { cniVersion: "1.1.0", name: NETWORK, type: "fairlead-bridge", ipam: mockScene.section() };
  const stdin = new TextEncoder().encode(JSON.stringify({ ...config, ...more }));
  const told: string[] = [];
  const status = main({
    env: {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: "c1",
      CNI_IFNAME: "eth0",
      CNI_NETNS: "/run/netns/c1",
      CNI_PATH: "/bin",
      CNI_ARGS: String(cniArgs),
    },
    readStdin: () => stdin,
    writeStdout: (bytes) => told.push(new TextDecoder().decode(bytes)),
    writeStderr: () => undefined,
    identifyNetns: () => "other",
  });
  return { status, told: told.map((text) => JSON.parse(text) as JsonObject) };
}

test("ADD answers the addresses; what interface plugins of others hand on is no error", () => {
  const { status, told } = run("ADD", [TWO], {
    cniArgs: "IP=10.1.0.2;MAC=02:00:00:00:00:01;K8S_POD_NAME=web",
  });
  expect(status).toBe(0);
  const ips = [{ address: "10.1.0.2/24" }, { address: "10.2.0.2/24" }];
  expect(told).toEqual([{ cniVersion: "1.1.0", ips }]);
  const wished = { key, requestedAddresses: ["10.1.0.2"], names: ["web"] };
  expect(mockScene.service.asked).toEqual([["attachments/acquire", expect.objectContaining(wished)]]);
  // It makes no interface.
  expect(mockScene.service.asked[0]?.[1]).not.toHaveProperty("mac");
});

test("ADD gives back what no result of its version can tell", () => {
  const { status, told } = run("ADD", [TWO, released()], { cniVersion: "0.2.0" });
  expect([status, told]).toEqual([1, [expect.objectContaining({ code: 7 })]]);
  const release = { key, sequences: [7, 8], attempt: expect.any(String) };
  expect(mockScene.service.asked[1]).toEqual(["attachments/release", release]);
});

test("ADD that got no answer leaves an intent", () => {
  const { status, told } = run("ADD", [lost("timeout")]);
  expect([status, told]).toEqual([1, [expect.objectContaining({ code: 11 })]]);
  expect(mockScene.intents()).toEqual([expect.objectContaining({ key, onlyAttempts: true })]);
});

test("DEL releases", () => {
  expect(run("DEL", [released()])).toEqual({ status: 0, told: [] });
  expect(mockScene.service.asked).toEqual([["attachments/release", { key, attempt: expect.any(String) }]]);
});

test("CHECK compares with what is held", () => {
  const prevResult = { cniVersion: "1.1.0", ips: [{ address: "10.1.0.2/24" }] };
  expect(run("CHECK", [done()], { prevResult }).status).toBe(0);
  expect(mockScene.service.asked).toEqual([["attachments/verify", { key, addresses: ["10.1.0.2/24"] }]]);
  expect(run("CHECK", [refused("check-failed")], { prevResult }).status).toBe(1);
});

test("GC names those that are valid", () => {
  const valid = { "cni.dev/valid-attachments": [{ containerID: "c1", ifname: "eth0" }] };
  expect(run("GC", [done({ released: [] })], valid).status).toBe(0);
  const validAttachments = [{ containerId: "c1", ifname: "eth0" }];
  expect(mockScene.service.asked).toEqual([["attachments/gc", { networkName: NETWORK, validAttachments }]]);
});

test("STATUS fails with the code for it", () => {
  expect(run("STATUS", [done({ ready: true })]).status).toBe(0);
  const { status, told } = run("STATUS", [done({ ready: false, reason: "full" })]);
  expect([status, told]).toEqual([1, [expect.objectContaining({ code: 50 })]]);
});

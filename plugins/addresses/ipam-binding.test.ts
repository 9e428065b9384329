import type { Exec } from "../../lib/cni/delegate.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import type { AddRequest, CheckRequest, PluginRequest } from "../../lib/cni/request.ts";
import { EMPTY_RESULT } from "../../lib/cni/result.ts";
import type { beginExchange } from "../../lib/linux/sockets/stream-socket.ts";
import { done, granted, leased, refused, useScriptedIpam } from "../../test/support/plugins/scripted-ipam.ts";
import { readAddressConfig } from "../configuration/attachment.ts";
import type { ReleaseIfGone } from "./gone-holder.ts";
import { bindIpam, type IpamBinding } from "./ipam-binding.ts";

const mockScene = useScriptedIpam();
jest.mock("../../lib/linux/sockets/stream-socket.ts", () => ({
  beginExchange: (...asked: Parameters<typeof beginExchange>) => mockScene.service.begin(...asked),
}));

const key = { networkName: "net", containerId: "c", ifname: "eth0" };

function bound(type: string, keys: JsonObject = {}): IpamBinding {
  const raw = { ipam: mockScene.section({ type, ...keys }) };
  const caller = { log: () => undefined, exec: {} as Exec };
  const binding = bindIpam(readAddressConfig({ raw, networkName: "net" }), caller);
  if (binding === null) throw new Error("no binding");
  return binding;
}

/** A request of a network whose addresses a delegate gives, and the verbs that the delegate hears. */
function delegating(statusOfAdd = 0) {
  const verbs: string[] = [];
  const exec: Exec = {
    isRegularFile: () => true,
    execFile: ({ env }) => {
      verbs.push(env["CNI_COMMAND"] ?? "");
      const stdout = new TextEncoder().encode('{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.2/24"}]}');
      return { status: env["CNI_COMMAND"] === "ADD" ? statusOfAdd : 0, signal: null, stdout };
    },
    sleepMs: () => undefined,
  };
  const config = { raw: { ipam: { type: "some-ipam" } }, cniVersion: "1.0.0", stdin: new Uint8Array() };
  const request = { config, environment: { path: ["/bin"] }, env: {}, log: () => undefined };
  const address = readAddressConfig({ ...config, networkName: "net" });
  const binding = bindIpam(address, { log: () => undefined, exec });
  const pending = binding?.begin(request as unknown as AddRequest, "");
  if (!binding || !pending) throw new Error("no delegate");
  const check = () => binding.check(request as unknown as CheckRequest);
  const status = () => binding.status(request as unknown as PluginRequest);
  return { pending, verbs, check, status };
}

test("what a delegate gave is given back to it", () => {
  const { pending, verbs } = delegating();
  expect(pending.finish().ips).toEqual([{ address: "10.1.0.2/24" }]);
  pending.undo();
  expect(verbs).toEqual(["ADD", "DEL"]);
});

test("a delegate hears of CHECK and STATUS, too", () => {
  const { verbs, check, status } = delegating();
  check();
  status();
  expect(verbs).toEqual(["CHECK", "STATUS"]);
});

test("a delegate that was not asked is not told to delete", () => {
  const { pending, verbs } = delegating();
  pending.undo();
  expect(verbs).toEqual([]);
});

test("a delegate that failed has had its DEL, and gets no second one", () => {
  const { pending, verbs } = delegating(1);
  expect(() => pending.finish()).toThrow();
  pending.undo();
  expect(verbs).toEqual(["ADD", "DEL"]);
});

test.each<JsonObject>([{}, { ipam: {} }, { ipam: { type: "" } }])(
  "%j is a network without addresses",
  (raw) => {
    const caller = { log: () => undefined, exec: {} as Exec };
    expect(bindIpam(readAddressConfig({ raw, networkName: "net" }), caller)).toBeNull();
  },
);

test("the service is asked for the address of an interface, and for CHECK and STATUS", () => {
  const binding = bound("fairlead-ipam");
  const details = { state: "bound", address: "10.1.0.2", sequence: 6 };
  mockScene.service.answers(
    refused("address-in-use", { details }),
    granted([leased("10.1.0.2", { sequence: 7 })]),
    done(),
    done({ ready: true }),
  );
  const gone: ReleaseIfGone = () => "gone";
  const pending = binding.begin({ key } as AddRequest, "02:00:00:00:00:01", gone);
  expect(pending.finish().ips).toEqual([{ address: "10.1.0.2/24" }]);
  binding.check({ key, prevResult: EMPTY_RESULT } as CheckRequest);
  binding.status({} as PluginRequest);
  const acquire = ["attachments/acquire", expect.objectContaining({ mac: "02:00:00:00:00:01" })];
  expect(mockScene.service.asked).toEqual([
    acquire,
    acquire,
    ["attachments/verify", { key, addresses: [] }],
    ["networks/status", { networkName: "net" }],
  ]);
});

test("addresses that the configuration names are nobody's to give: CHECK compares, the rest is nothing", () => {
  const binding = bound("fairlead-static", { addresses: [{ address: "10.1.0.5/24" }] });
  const pending = binding.begin({ key } as AddRequest, "");
  expect(pending.finish().ips).toEqual([{ address: "10.1.0.5/24" }]);
  pending.undo();
  const prevResult = { ...EMPTY_RESULT, ips: [{ address: "10.1.0.5/24" }] };
  binding.check({ key, prevResult } as unknown as CheckRequest);
  expect(() => binding.check({ prevResult: EMPTY_RESULT } as CheckRequest)).toThrow(
    expect.objectContaining({ code: "check-failed" }),
  );
  binding.status({} as PluginRequest);
  expect(mockScene.service.asked).toEqual([]);
});

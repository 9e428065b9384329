import type { Exec } from "../../lib/cni/delegate.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import type { AddRequest } from "../../lib/cni/request.ts";
import { readAddressConfig } from "../configuration/attachment.ts";
import { bindIpam } from "./ipam-binding.ts";

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
  if (!pending) throw new Error("no delegate");
  return { pending, verbs };
}

test("what a delegate gave is given back to it", () => {
  const { pending, verbs } = delegating();
  expect(pending.finish().ips).toEqual([{ address: "10.1.0.2/24" }]);
  pending.undo();
  expect(verbs).toEqual(["ADD", "DEL"]);
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

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { livingNamespaceOf } from "./other-managers.ts";

const OWN = "/proc/self/ns/net";
const key = { networkName: "net", containerId: "c1", ifname: "eth0" };
const RECORD = { networkName: "net", containerId: "c1", ifName: "eth0", netns: OWN };

let records: string;
beforeEach(() => {
  records = mkdtempSync(join(tmpdir(), "fairlead-records-"));
});
afterEach(() => rmSync(records, { recursive: true }));

const write = (name: string, text: string) => writeFileSync(join(records, name), text);
const leave = (more: object = {}, name = "net-c1-eth0") =>
  write(name, JSON.stringify({ ...RECORD, ...more }));
const living = () => livingNamespaceOf(key, records);

test("an attachment of which somebody has a record lives in the namespace that is there", () => {
  leave();
  expect(living()).toBe(OWN);
});

test("libcni records the namespace in the result, too", () => {
  const interfaces = [{ name: "cni0" }, { name: "eth0", sandbox: OWN }];
  leave({ netns: "", result: { interfaces } });
  expect(living()).toBe(OWN);
  leave({ netns: "/run/netns/gone", result: { interfaces } });
  expect(living()).toBe(OWN);
});

test.each([
  ["of a container that is gone", { netns: "/run/netns/gone" }],
  ["that names no namespace", { netns: "" }],
  ["whose path leads to something else by now", { netns: "/etc/hostname" }],
  ["of another network", { networkName: "net-c1" }],
  ["of another container", { containerId: "c2" }],
  ["of another interface", { ifName: "eth1" }],
])("a record %s says nothing", (_what, more) => {
  leave(more);
  expect(living()).toBeNull();
});

test("files that are no records of the network are passed over", () => {
  leave({}, "other-c1-eth0");
  leave({}, "netc1-eth0");
  write("net-0", "no JSON");
  write("net-1", "[]");
  expect(living()).toBeNull();
  leave();
  expect(living()).toBe(OWN);
});

test("a record that cannot be read is no answer", () => {
  mkdirSync(join(records, "net-c1-eth0"));
  expect(living).toThrow();
});

test("where nobody keeps records nobody answers for anything", () => {
  expect(livingNamespaceOf(key, join(records, "none"))).toBeNull();
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GcRequest } from "../lib/cni/request.ts";
import type { listDirectory, readFileIfExists } from "../lib/linux/files/files.ts";
import { livingNamespaceOf, sparingOthers } from "./other-managers.ts";

/** Of this test; also in the place where runtimes keep theirs. */
let mockRecords = "";
jest.mock("../lib/linux/files/files.ts", () => {
  const files = jest.requireActual<{
    listDirectory: typeof listDirectory;
    readFileIfExists: typeof readFileIfExists;
  }>("../lib/linux/files/files.ts");
  const here = (path: string) => path.replace("/var/lib/cni/results", mockRecords);
  return {
    ...files,
    listDirectory: (path: string) => files.listDirectory(here(path)),
    readFileIfExists: (path: string, options: Parameters<typeof readFileIfExists>[1]) =>
      files.readFileIfExists(here(path), options),
  };
});

const OWN = "/proc/self/ns/net";
const key = { networkName: "net", containerId: "c1", ifname: "eth0" };
const RECORD = { networkName: "net", containerId: "c1", ifName: "eth0", netns: OWN };

beforeEach(() => {
  mockRecords = mkdtempSync(join(tmpdir(), "fairlead-records-"));
});
afterEach(() => rmSync(mockRecords, { recursive: true }));

const write = (name: string, text: string) => writeFileSync(join(mockRecords, name), text);
const leave = (more: object = {}, name = "net-c1-eth0") =>
  write(name, JSON.stringify({ ...RECORD, ...more }));
const living = () => livingNamespaceOf(key, mockRecords);

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
  mkdirSync(join(mockRecords, "net-c1-eth0"));
  expect(living).toThrow();
});

test("where nobody keeps records nobody answers for anything", () => {
  expect(livingNamespaceOf(key, join(mockRecords, "none"))).toBeNull();
});

describe("a GC", () => {
  const valid = { containerId: "c0", ifname: "eth0" };
  const KEYS = ["cni.dev/valid-attachments", "cni.dev/attachments"] as const;

  function spare() {
    const log: string[] = [];
    const raw = { name: "net", bridge: "br0", [KEYS[0]]: [{ containerID: "c0", ifname: "eth0" }] };
    const config = { networkName: "net", raw, stdin: new Uint8Array() };
    const given = { config, validAttachments: [valid], log: (line: string) => log.push(line) };
    const request = given as unknown as GcRequest;
    return { request, spared: sparingOthers(request), log };
  }

  test("keeps what it was not told of, where somebody has a record, and tells its delegate", () => {
    leave();
    leave({ containerId: "c0" }, "net-c0-eth0");
    leave({ containerId: "c2", netns: "/run/netns/gone" }, "net-c2-eth0");
    const { spared, log } = spare();
    expect(spared.validAttachments).toEqual([valid, { containerId: "c1", ifname: "eth0" }]);
    const list = ["c0", "c1"].map((containerID) => ({ containerID, ifname: "eth0" }));
    expect(spared.config.raw).toEqual({ name: "net", bridge: "br0", [KEYS[0]]: list, [KEYS[1]]: list });
    expect(JSON.parse(new TextDecoder().decode(spared.config.stdin))).toEqual(spared.config.raw);
    expect(spared.config.networkName).toBe("net");
    expect(log).toEqual([expect.stringContaining("keeping c1 (eth0)")]);
  });

  test("of which nobody else has a record stays as it is", () => {
    leave({ containerId: "c0" }, "net-c0-eth0");
    leave({ containerId: "c2", netns: "/run/netns/gone" }, "net-c2-eth0");
    const { request, spared, log } = spare();
    expect(spared).toBe(request);
    expect(log).toEqual([]);
  });
});

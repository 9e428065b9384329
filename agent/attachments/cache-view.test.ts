import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostIfnameOf } from "../../lib/host/attachment/alias.ts";
import { TemporaryDirectory } from "../../test/support/ipam/ipam-fronts.ts";
import { CacheView } from "./cache-view.ts";

const directory = new TemporaryDirectory();
const results = directory.file("cache/results");
let view: CacheView;

beforeEach(() => {
  mkdirSync(results, { recursive: true });
  view = new CacheView(directory.file("cache"));
});
afterEach(() => rmSync(results, { recursive: true, force: true }));
afterAll(() => directory.remove());

/** Replaces the file, as a runtime does. */
function put(containerId: string, address: string, type = "fairlead-bridge"): void {
  const key = { networkName: "net", containerId, ifname: "eth0" };
  const entry = {
    kind: "cniCacheV1",
    containerId,
    ifName: "eth0",
    networkName: "net",
    netns: "/run/netns/c",
    config: btoa(JSON.stringify({ cniVersion: "1.0.0", name: "net", plugins: [{ type, bridge: "br0" }] })),
    result: {
      cniVersion: "1.0.0",
      interfaces: [{ name: hostIfnameOf(key) }, { name: "eth0", sandbox: "/run/netns/c" }],
      ips: [{ address, interface: 1 }],
    },
  };
  writeFileSync(join(results, ".new"), JSON.stringify(entry));
  renameSync(join(results, ".new"), join(results, `net-${containerId}-eth0`));
}

async function listed(): Promise<string[]> {
  const all = await view.list();
  return all.map(({ key, addresses }) => `${key.containerId} ${addresses}`).sort();
}

test("attachments of ours are listed as they are in their files, until these go", async () => {
  put("a", "10.1.0.2/24");
  put("b", "10.1.0.3/24");
  expect(await listed()).toEqual(["a 10.1.0.2", "b 10.1.0.3"]);
  put("a", "10.1.0.9/24");
  expect(await listed()).toEqual(["a 10.1.0.9", "b 10.1.0.3"]);
  rmSync(join(results, "net-b-eth0"));
  expect(await listed()).toEqual(["a 10.1.0.9"]);
  rmSync(results, { recursive: true });
  expect(await listed()).toEqual([]);
});

test("what is broken, gone meanwhile, or another plugin's, is none of ours, and keeps nothing from being listed", async () => {
  symlinkSync("/nosuch/file", join(results, "gone"));
  writeFileSync(join(results, "broken"), "{");
  put("foreign", "10.1.0.2/24", "bridge");
  put("ours", "10.1.0.3/24");
  expect(await listed()).toEqual(["ours 10.1.0.3"]);
});

test("what did not change is not read again", async () => {
  put("a", "10.1.0.2/24");
  const [before] = await view.list();
  const [after] = await view.list();
  expect(after).toBe(before);
});

test("an entry that cannot be read at all is told, not passed over", async () => {
  mkdirSync(join(results, "folder"));
  await expect(view.list()).rejects.toMatchObject({ code: "EISDIR" });
});

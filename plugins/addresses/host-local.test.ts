import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatAddress } from "../../lib/addr/address.ts";
import { findHostLocal, listHostLocal, removeHostLocal } from "./host-local.ts";

const NETWORK = "host-local-test";
const key = { containerId: "c1", ifname: "eth0" };

let dataDir: string;
let directory: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "fairlead-host-local-"));
  directory = join(dataDir, NETWORK);
  mkdirSync(directory);
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const leave = (address: string, text: string) => writeFileSync(join(directory, address), text);
const place = () => ({ raw: { ipam: { dataDir } }, networkName: NETWORK });
const shown = (leases: ReturnType<typeof listHostLocal>) =>
  leases
    .map(({ address, containerId, ifname }) => `${formatAddress(address)} ${containerId} ${ifname}`)
    .sort();
const only = () => {
  const [lease] = listHostLocal(place());
  if (lease === undefined) throw new Error("no lease");
  return lease;
};

test("each file that is called by an address is a lease, in every spelling that host-local had", () => {
  leave("10.1.0.2", "c1\r\neth0");
  leave("10.1.0.3", "c2\neth1\n");
  leave("10.1.0.4", " c3 ");
  leave("10.1.0.5", "c4 \r\n eth0 ");
  leave("fd00::6", "c5\r\neth0");
  leave("lock", "");
  leave("last_reserved_ip.0", "10.1.0.4");
  expect(shown(listHostLocal(place()))).toEqual([
    "10.1.0.2 c1 eth0",
    "10.1.0.3 c2 eth1",
    "10.1.0.4 c3 ",
    "10.1.0.5 c4 eth0",
    "fd00::6 c5 eth0",
  ]);
  expect(listHostLocal(place())[0]?.file).toContain(`${directory}/`);
});

test("a network that host-local has never seen has none, whatever ipam is", () => {
  expect(listHostLocal({ ...place(), networkName: "host-local-other" })).toEqual([]);
  for (const raw of [{}, { ipam: [] }, { ipam: { dataDir: 7 } }, { ipam: { dataDir: "" } }])
    expect(listHostLocal({ raw, networkName: NETWORK })).toEqual([]);
});

test("an attachment's leases are those of its container that name its interface, or none", () => {
  leave("10.1.0.2", "c1\r\neth0");
  leave("10.1.0.3", "c1\r\neth1");
  leave("10.1.0.4", "c1");
  leave("10.1.0.5", "c2\r\neth0");
  expect(shown(findHostLocal(place(), key))).toEqual(["10.1.0.2 c1 eth0", "10.1.0.4 c1 "]);
});

test("a lease is removed once, and again", () => {
  leave("10.1.0.2", "c1\r\neth0");
  leave("10.1.0.3", "c1\r\neth0");
  const lease = listHostLocal(place()).find(({ file }) => file.endsWith("10.1.0.2"));
  if (lease === undefined) throw new Error("no lease");
  removeHostLocal(lease);
  removeHostLocal(lease);
  expect(readdirSync(directory).sort()).toEqual(["10.1.0.3", "lock"]);
});

test.each(["c2\r\neth0", "c1\r\neth1", "c1"])("one that is %j by now stays", (text) => {
  leave("10.1.0.2", "c1\r\neth0");
  const lease = only();
  leave("10.1.0.2", text);
  removeHostLocal(lease);
  expect(existsSync(lease.file)).toBe(true);
});

test("a lock of host-local is let go, although the look at the lease failed", () => {
  leave("10.1.0.2", "c1\r\neth0");
  const lease = only();
  rmSync(lease.file);
  mkdirSync(lease.file);
  expect(() => removeHostLocal(lease)).toThrow();
  rmSync(lease.file, { recursive: true });
  leave("10.1.0.2", "c1\r\neth0");
  removeHostLocal(lease);
  expect(existsSync(lease.file)).toBe(false);
});

/**
 * The store is put back from a backup, or begun anew, while containers live on of which it knows nothing. Nothing that is in use
 * may be granted again, and nothing that is attached may be lost.
 */
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Endpoint, Network, ServiceInfo } from "../../lib/ipam/api.ts";
import { createHttpClient } from "../../lib/rpc/http-client.ts";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { Lab } from "../support/lab/lab.ts";
import { waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(120_000);

const own = (name: string): string => `${name}-${process.pid}`;

let lab: Lab;
let node: FairleadNode;
let backup: string;

beforeEach(async () => {
  lab = await Lab.open("restored");
  node = await FairleadNode.start(lab);
  backup = join(lab.directory, "backup");
});

afterEach(async () => {
  const { sandboxes } = await json<{ sandboxes: readonly { name: string }[] }>("sandbox", "ls");
  for (const { name } of sandboxes) await node.try("sandbox", "rm", "-f", name);
  await lab.close();
});

const json = async <T>(...args: string[]): Promise<T> => JSON.parse(await node.run(...args, "--json")) as T;
const info = async (): Promise<ServiceInfo> =>
  (await json<{ service: ServiceInfo }>("ipam", "status")).service;
const networks = async (): Promise<readonly Network[]> =>
  (await json<{ networks: readonly Network[] }>("ipam", "networks")).networks;

/** `name address` of each endpoint. */
async function endpoints(): Promise<string[]> {
  const { endpoints: all } = await json<{ endpoints: readonly Endpoint[] }>("ipam", "endpoints");
  return all.map(({ name, addresses }) => `${name} ${addresses.map(({ address }) => address)}`).sort();
}

const settled = (): Promise<boolean> => waitUntil(async () => !(await info()).recovering, 30_000);

/** Kills the daemon, lets `change` do something to its state, and starts it again. */
async function crash(change: () => void): Promise<void> {
  await node.kill("dev");
  change();
  await node.startDev();
}

function putBack(): void {
  rmSync(node.stateFolder, { recursive: true });
  cpSync(backup, node.stateFolder, { recursive: true });
}

/** Before the backup a network with one sandbox; after it another sandbox there, and a network with one. */
async function liveOn(): Promise<void> {
  await node.run("network", "create", "web");
  await node.run("sandbox", "create", "--network", "web", own("aa"));
  await crash(() => cpSync(node.stateFolder, backup, { recursive: true }));
  await node.run("sandbox", "create", "--network", "web", own("bb"));
  await node.run("network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "later");
  await node.run("sandbox", "create", "--network", "later", own("cc"));
}

/** `host` and `none`, of which nothing is on the node, may be others. What was there is there, and what comes now gets an address that nobody has. */
async function expectAll(before: readonly string[], networksBefore: readonly Network[]): Promise<void> {
  expect(await settled()).toBe(true);
  expect(await endpoints()).toEqual(before);
  const same = (all: readonly Network[]) =>
    all
      .filter(({ pools }) => pools.length > 0)
      .map(({ id, name, pools }) => ({ id, name, pools }))
      .sort(byName);
  const strip = (all: readonly Network[]) => JSON.parse(JSON.stringify(same(all), dropOrigins));
  expect(strip(await networks())).toEqual(strip(networksBefore));
  await node.run("sandbox", "create", "--network", "web", own("dd"));
  await node.run("sandbox", "create", "--network", "later", own("ee"));
  const after = await endpoints();
  const addresses = after.map((each) => each.split(" ")[1]);
  expect(new Set(addresses).size).toBe(before.length + 2);
  expect((await node.exec(own("dd"), "ping", "-c1", "-W2", own("bb"))).status).toBe(0);
  expect(await node.run("ipam", "check")).toContain("No contradictions");
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

/** Where a subnet came from, and whether its gateway was named, no bridge tells. */
function dropOrigins(key: string, value: unknown): unknown {
  return key === "fromDefaultPool" || key === "gatewayGiven" ? undefined : value;
}

test("an older store learns what is attached before it grants anything", async () => {
  await liveOn();
  const [before, networksBefore, { logId }] = [await endpoints(), await networks(), await info()];
  await crash(putBack);
  await expectAll(before, networksBefore);
  expect((await info()).logId).not.toBe(logId);
});

test("so does an empty one, and one of no bytes", async () => {
  await liveOn();
  const [before, networksBefore] = [await endpoints(), await networks()];
  await crash(() => {
    rmSync(node.stateFolder, { recursive: true });
    writeFileSync(join(lab.folder("state"), "ipam.db"), "");
  });
  await expectAll(before, networksBefore);
});

test("a crash, and a start on what it left, need none of this", async () => {
  await node.run("network", "create", "web");
  const { logId } = await info();
  await crash(() => {});
  expect(await info()).toMatchObject({ logId, recovering: false });
});

test("without an agent nothing is granted until somebody says what is attached", async () => {
  await liveOn();
  const before = await endpoints();
  await node.kill("dev");
  putBack();
  await node.startServer();
  const refused = await node.try("sandbox", "create", "--network", "web", own("dd"));
  expect([refused.status, refused.stderr]).toEqual([
    expect.any(Number),
    expect.stringContaining("fairlead ipam recover"),
  ]);
  expect(refused.status).not.toBe(0);
  expect(await node.run("ipam", "status")).toContain("nothing is granted");
  expect((await node.try("ipam", "check")).status).toBe(1);
  const said = await node.run("ipam", "recover");
  expect(said).toContain("network later: made again");
  expect(said).toMatch(/of web: bound again to [0-9.]+\/24/);
  expect(await endpoints()).toEqual(before);
  expect(await node.run("ipam", "recover")).toBe("The service knew all that is attached here.\n");
  await node.run("sandbox", "create", "--network", "web", own("dd"));
});

test("what was removed since the backup is released again, by the same evidence as by hand; what cannot be told stays", async () => {
  await node.run("network", "create", "web");
  for (const name of ["aa", "bb"]) await node.run("sandbox", "create", "--network", "web", own(name));
  const service = createHttpClient({ endpoint: { socket: node.socket } });
  const caller = { actor: "test", node: "" };
  // As a plugin of somebody else's does, which leaves no trace of ours.
  const foreign = { networkName: "web", containerId: "foreign", ifname: "eth0" };
  await service.acquire({ key: foreign, names: ["0"] }, caller);
  // As one of ours does on a network of which nothing tells which one it is: macvlan, without a cache of results.
  const declaration = { rangeSets: [[{ subnet: "10.200.0.0/24" }]] };
  const unknown = { networkName: "elsewhere", containerId: "unknown", ifname: "eth0" };
  await service.acquire({ key: unknown, declaration, mac: "02:00:00:00:00:01", names: ["1"] }, caller);
  const [one = "", two = "", aa = "", bb = ""] = await endpoints();
  await crash(() => cpSync(node.stateFolder, backup, { recursive: true }));
  await node.run("sandbox", "rm", own("bb"));
  expect(await endpoints()).toEqual([one, two, aa]);
  await crash(putBack);
  expect(await settled()).toBe(true);
  expect(await endpoints()).toEqual([one, two, aa]);
  const events = await service.listEvents({ since: 0, limit: 1000 });
  service.close();
  const released = events.filter(({ kind }) => kind === "lease-released");
  expect(released).toMatchObject([
    {
      address: /[0-9.]+(?=\/)/.exec(bb)?.[0],
      reason: expect.stringContaining("put back: no link on this host"),
    },
  ]);
  expect(await node.run("ipam", "check")).toContain("No contradictions");
});

/** `fairlead ipam release`: what nobody holds any more, by evidence, and by name. */
import { join } from "node:path";
import type { Lease } from "../../lib/ipam/api.ts";
import { FairleadNode } from "../support/lab/fairlead-node.ts";
import { Lab } from "../support/lab/lab.ts";
import { tryCommand, until, waitUntil } from "../support/lab/lab-process.ts";
import { startHeldAnswers } from "../support/plugins/held-answers.ts";

jest.setTimeout(90_000);

/** In the answer to an acquire that was granted. */
const GRANTED = '"created":true';

const own = (name: string): string => `${name}-${process.pid}`;

let lab: Lab;
let node: FairleadNode;

beforeAll(async () => {
  lab = await Lab.open("release");
  // Nobody takes anything back meanwhile.
  node = await FairleadNode.start(lab, { reaper: false });
  await node.run("network", "create", "web");
  for (const name of ["alive", "dead"]) await node.run("sandbox", "create", "--network", "web", own(name));
});

afterAll(async () => {
  for (const name of ["alive", "dead"]) await node.try("sandbox", "rm", "-f", own(name));
  await lab.close();
});

const listed = async (...args: string[]): Promise<{ released: boolean; leases: readonly Lease[] }> =>
  JSON.parse(await node.run("ipam", "release", "--json", ...args));
const bound = async (): Promise<string[]> => {
  const { leases } = JSON.parse(await node.run("ipam", "leases", "--state", "bound", "--json"));
  return (leases as Lease[]).map(({ names }) => names[0] ?? "").sort();
};

async function addressOf(name: string): Promise<string> {
  const [found] = JSON.parse(await node.run("sandbox", "inspect", own(name)));
  return found.Networks.web.IPAddress;
}

test("what is alive is not listed, and refused by address and by name", async () => {
  expect(await listed("--stale")).toEqual({ released: false, leases: [] });
  const address = await addressOf("alive");
  for (const what of [address, own("alive")]) {
    const refused = await node.try("ipam", "release", what);
    expect([refused.status, refused.stderr]).toEqual([
      3,
      expect.stringMatching(/may use it: link veth.*--force/),
    ]);
  }
  expect((await node.try("ipam", "release", "10.255.255.254")).status).toBe(4);
  expect((await node.try("ipam", "release")).status).not.toBe(0);
  expect(await bound()).toEqual([own("alive"), own("dead")]);
});

test("what is gone is listed, with the evidence, and released when that is said", async () => {
  const address = await addressOf("dead");
  const { stderr } = await node.try("ipam", "release", address);
  await lab.host(["ip", "link", "del", /link (veth\w+)/.exec(stderr)?.[1] ?? ""]);
  const isListed = async () => (await listed("--stale")).leases.length > 0;
  expect(await waitUntil(isListed, 30_000)).toBe(true);
  const { leases } = await listed("--stale");
  expect(leases).toMatchObject([{ address, evidence: "no link on this host", holder: "gone" }]);
  expect(await bound()).toHaveLength(2);
  expect(await node.run("ipam", "release", "--stale", "--yes")).toContain("Released.");
  expect(await bound()).toEqual([own("alive")]);
  expect(await node.run("ipam", "release", "--stale", "--yes")).toBe("Nothing to release.\n");
});

test("by force also what is alive", async () => {
  await node.run("ipam", "release", "--force", own("alive"));
  expect(await bound()).toEqual([]);
});

/** A container of somebody who calls the plugin himself, through another socket of the service. */
function attach(verb: "ADD" | "DEL", { netns, socket }: { readonly netns: string; readonly socket: string }) {
  const ipam = { type: "fairlead-ipam", socket, ranges: [[{ subnet: "10.98.0.0/24" }]] };
  const config = { cniVersion: "1.0.0", name: "late", type: "fairlead-bridge", bridge: "late0", ipam };
  const env = {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: own("late"),
    CNI_NETNS: netns,
    CNI_IFNAME: "eth0",
    CNI_PATH: node.pluginFolder,
  };
  return tryCommand(lab.inHost(join(node.pluginFolder, "fairlead-bridge")), {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    input: JSON.stringify(config),
  });
}

const ports = async (): Promise<readonly { readonly ifname: string }[]> =>
  JSON.parse((await lab.host(["ip", "-j", "link", "show", "type", "veth"])).trim() || "[]").filter(
    ({ master }: { master?: string }) => master === "late0",
  );

/** Takes its link away as soon as it is there. */
async function cut(): Promise<void> {
  await until(async () => (await ports()).length === 1);
  for (const { ifname } of await ports()) await lab.host(["ip", "link", "del", ifname]);
  await until(async () => (await ports()).length === 0);
}

test("an ADD that is under way has a lease and no link, and is nobody's to take away", async () => {
  const late = await startHeldAnswers(join(lab.folder("late"), "ipam.sock"), node.socket, GRANTED);
  const container = { netns: await lab.addContainer("late"), socket: late.socket };
  const adding = attach("ADD", container);
  try {
    await late.held();
    // As if its link had not come yet, however long that takes.
    await cut();
    expect(await bound()).toEqual([own("late")]);
    expect(await listed("--stale", "--yes")).toEqual({ released: true, leases: [] });
    const refused = await node.try("ipam", "release", own("late"));
    expect([refused.status, refused.stderr]).toEqual([
      3,
      expect.stringMatching(/ADD or DEL for it is under way/),
    ]);
    expect(await bound()).toEqual([own("late")]);
  } finally {
    late.letGo();
    await adding;
    await late.close();
  }
  await attach("DEL", { ...container, socket: node.socket });
  expect(await bound()).toEqual([]);
});

test("leases of this node are looked for under the name that the service has for it, or had in this boot", async () => {
  const restartAs = async (nodeName: string): Promise<void> => {
    await node.kill("server");
    await node.startServer({ nodeName });
  };
  const container = { netns: await lab.addContainer("named"), socket: node.socket };
  await restartAs("first");
  expect((await attach("ADD", container)).status).toBe(0);
  await cut();
  expect((await listed("--stale")).leases).toMatchObject([{ node: "first", holder: "gone" }]);
  await restartAs("second");
  expect((await listed("--stale")).leases).toEqual([]);
  expect((await listed("--stale", "--node", "another")).leases).toEqual([]);
  expect((await listed("--stale", "--node", "first")).leases).toMatchObject([{ node: "first" }]);
  // What was granted under the former name is still this machine's own.
  expect((await attach("DEL", container)).status).toBe(0);
  expect(await bound()).toEqual([]);
});

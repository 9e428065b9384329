/** `fairlead ipam release`: what nobody holds any more, by evidence, and by name. */
import type { Lease } from "../../lib/ipam/api.ts";
import { FairleadNode } from "../support/fairlead-node.ts";
import { Lab } from "../support/lab.ts";
import { waitUntil } from "../support/lab-process.ts";

jest.setTimeout(90_000);

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

/** The keys `isolation` and `internal` of fairlead-bridge: failing closed, CHECK, cost. Needs root, nft and strace. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connects, IsolationLab, pings } from "../support/lab/isolation-lab.ts";
import { INTERNET_IPV4 } from "../support/lab/lab.ts";
import { type CommandOutcome, command, waitUntil } from "../support/lab/lab-process.ts";

jest.setTimeout(120_000);

/** Between two passes of the agent over everything, and some more. */
const PASS_MS = 15_000;

let lab: IsolationLab;
beforeEach(async () => {
  lab = await IsolationLab.open("isop");
  await lab.network("a", { subnets: [{ subnet: "10.71.0.0/24" }, { subnet: "fd00:71::/64" }] });
  await lab.network("b", { subnets: [{ subnet: "10.72.0.0/24" }, { subnet: "fd00:72::/64" }] });
});
afterEach(() => lab?.close());

function failure({ stdout }: CommandOutcome): { code: number; msg: string } {
  return JSON.parse(stdout) as { code: number; msg: string };
}

/** Somebody else's table of our name, with a set that cannot hold what ours must. */
const IN_THE_WAY = "flush ruleset; table inet fairlead { set isolation-bridges { type ipv4_addr; }; }";

test("an ADD whose rules cannot be had fails, leaves nothing, and reaches nobody", async () => {
  const a1 = await lab.container("a1", "a");
  const b1 = await lab.container("b1", "b");
  const linksBefore = await lab.under.lab.hostLinks();
  await lab.under.lab.host(["nft", "-f", "-"], { input: IN_THE_WAY });
  const netns = await lab.under.lab.addContainer("b2");
  const outcome = await lab.plugin("ADD", "b", { name: "b2", netns });
  expect(outcome.status).toBe(1);
  expect(failure(outcome)).toMatchObject({
    code: 104,
    msg: expect.stringContaining("isolation-bridges: there is a set of that name that Fairlead did not make"),
  });
  expect(await command(["nsenter", `--net=${netns}`, "ip", "-o", "link"])).not.toContain("eth0");
  expect(await lab.under.lab.hostLinks()).toEqual(linksBefore);
  const leases = await lab.under.service.listLeases({ containerId: "b2", state: "bound" });
  expect(leases).toEqual([]);
  for (const address of ["10.72.0.3", "fd00:72::3"])
    expect(await pings(a1.netns, address, false)).toBe(false);

  const isReported = async () =>
    (await lab.under.agent.status()).parts.some(({ problems }) =>
      problems.some(({ message }) => message.includes("isolation-bridges")),
    );
  expect(await waitUntil(isReported, PASS_MS)).toBe(true);
  await lab.under.lab.host(["nft", "flush", "ruleset"]);
  // One ADD brings back the rules of its network; those of the other one the agent, or its next ADD.
  expect((await lab.plugin("ADD", "b", { name: "b2", netns })).status).toBe(0);
  await lab.container("a2", "a");
  expect(await connects(a1.netns, b1.address[4], 80)).toBe(false);
  expect(await connects(a1.netns, b1.address[6], 80)).toBe(false);
});

test.each([
  [
    "its element is gone",
    "delete element inet fairlead isolation-bridges { BRIDGE }",
    "isolation-bridges lacks",
  ],
  ["a rule is gone", "flush chain inet fairlead isolation-input", "chain isolation-input is different"],
  ["the table is gone", "delete table inet fairlead", "lacks what the network needs"],
])("CHECK fails when %s", async (_what, script, problem) => {
  const netns = await lab.under.lab.addContainer("c");
  const container = { name: "c1", netns };
  const added = await lab.plugin("ADD", "a", container);
  const keys = { prevResult: JSON.parse(added.stdout) };
  expect((await lab.plugin("CHECK", "a", { ...container, keys })).status).toBe(0);
  const bridge = String(lab.conflist("a").plugins[0]?.["bridge"]);
  const outcome = await lab.under.withoutAgent(async () => {
    await lab.under.lab.host(["nft", script.replace("BRIDGE", bridge)]);
    return lab.plugin("CHECK", "a", { ...container, keys });
  });
  expect(failure(outcome)).toMatchObject({ code: 105, msg: expect.stringContaining(problem) });
});

test("where all is in place, isolation adds one datagram to an ADD", async () => {
  await lab.container("warm", "a");
  const counts: number[] = [];
  for (const isolation of [true, false]) {
    const netns = await lab.under.lab.addContainer(`counted-${isolation}`);
    const trace = join(lab.under.lab.directory, `trace-${isolation}`);
    const wrapper = ["strace", "-f", "-qq", "-e", "trace=sendto,sendmsg", "-o", trace];
    const container = { name: `counted-${isolation}`, netns };
    const outcome = await lab.plugin("ADD", "a", { ...container, keys: { isolation }, wrapper });
    expect(outcome.status).toBe(0);
    counts.push(readFileSync(trace, "utf8").trim().split("\n").length);
  }
  const [withIsolation = 0, without = 0] = counts;
  expect(without).toBeGreaterThan(5);
  expect(withIsolation - without).toBe(1);
});

test("a hand-written conflist is isolated when it asks, and forgotten by GC", async () => {
  // A bridge of somebody else counts as outside, from where networks are closed unless they say otherwise.
  await lab.network("open", {
    options: { "com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected" },
  });
  const b1 = await lab.container("b1", "b");
  const o1 = await lab.container("o1", "open");
  const netns = await lab.under.lab.addContainer("hand");
  const container = { name: "hand", netns };
  const keys = {
    cniVersion: "1.1.0",
    name: "hand",
    bridge: "br-hand",
    ipam: { type: "fairlead-ipam", socket: lab.under.socket, ranges: [[{ subnet: "10.79.0.0/24" }]] },
  };
  expect((await lab.plugin("ADD", "b", { ...container, keys: { ...keys, isolation: false } })).status).toBe(
    0,
  );
  expect(await pings(netns, o1.address[4])).toBe(true);
  expect(await pings(netns, b1.address[4], false)).toBe(false);
  expect((await lab.plugin("DEL", "b", { ...container, keys })).status).toBe(0);
  expect((await lab.plugin("ADD", "b", { ...container, keys })).status).toBe(0);
  expect(await pings(netns, o1.address[4], false)).toBe(false);
  expect((await lab.plugin("DEL", "b", { ...container, keys })).status).toBe(0);
  const gc = { keys: { ...keys, "cni.dev/valid-attachments": [] } };
  expect((await lab.plugin("GC", "b", { ...container, ...gc })).status).toBe(0);
  expect(await lab.under.lab.host(["nft", "list", "ruleset"])).not.toContain("br-hand");
});

test("containers in different subnets of one network reach each other and the world, whoever came last", async () => {
  await lab.network("wide", { subnets: [{ subnet: "10.76.0.0/30" }, { subnet: "10.76.1.0/24" }] });
  const attach = async (name: string) => {
    const netns = await lab.under.lab.addContainer(name);
    const { stdout } = await lab.plugin("ADD", "wide", { name, netns });
    return { netns, address: String(JSON.parse(stdout).ips[0].address.split("/")[0]) };
  };
  const [first, second] = [await attach("w1"), await attach("w2")];
  expect([first.address, second.address]).toEqual(["10.76.0.2", expect.stringMatching(/^10\.76\.1\./)]);
  for (const { netns } of [first, second]) expect(await pings(netns, INTERNET_IPV4)).toBe(true);
  expect(await pings(first.netns, second.address)).toBe(true);
  expect(await pings(second.netns, first.address)).toBe(true);
});

/**
 * `kill -9` of the macvlan plugin before each of its steps, in ADD and in DEL: the next DEL succeeds and leaves nothing, and
 * a new ADD of the same container works.
 */
import { atEveryStep, KilledPlugin } from "../support/killed-plugin.ts";
import { canPing, inNetns } from "../support/lab.ts";
import { command } from "../support/lab-process.ts";
import { straceKiller } from "../support/lab-strace.ts";
import { MACVLAN, MacvlanLab, type Wire } from "../support/macvlan-lab.ts";
import type { Container } from "../support/plugin-lab.ts";

jest.setTimeout(180_000);

const NETWORK = "kill-macvlan";
const [SUBNET, GATEWAY] = ["10.87.0.0/24", "10.87.0.1"] as const;
/** A plugin that gets by with fewer steps than this was not traced properly. */
const FEWEST_STEPS = 8;

let lab: MacvlanLab;
let wire: Wire;
let container: Container;
let victim: KilledPlugin;

beforeAll(async () => {
  lab = await MacvlanLab.open("mvkill");
  wire = await lab.wire();
  await command([
    "ip",
    "-n",
    wire.far.replace("/run/netns/", ""),
    "addr",
    "add",
    `${GATEWAY}/24`,
    "dev",
    "wire0",
  ]);
  container = await lab.base.container();
  const { cniPath } = lab.base.plugins;
  const plugin = { type: MACVLAN, master: wire.master, ipam: lab.base.plugins.ipam([SUBNET]) };
  const conflist = { cniVersion: "1.1.0", name: NETWORK, plugins: [plugin] };
  victim = new KilledPlugin(lab.base.lab, { cniPath, conflist, container });
});
afterAll(() => lab?.close());

/** What is left once the container is gone: in it, in the service, and in the plugin's state folder. */
async function remains(): Promise<string[]> {
  const links = JSON.parse(await command(inNetns(container.netns, "ip", "-j", "link"))) as {
    ifname: string;
  }[];
  return [
    ...links.map(({ ifname }) => ifname).filter((name) => name !== "lo"),
    ...(await lab.base.plugins.boundAddresses(NETWORK)),
    ...lab.base.nodeFiles(),
  ];
}

test("ADD killed before any step: DEL cleans up, and ADD works again", async () => {
  const steps = await victim.stepsOf("ADD");
  await victim.mustRun("DEL");
  let killed = 0;
  const problems = await atEveryStep(steps, async (step) => {
    if ((await victim.run("ADD", straceKiller(step))).signal === "SIGKILL") killed += 1;
    await victim.mustRun("DEL");
    const left = await remains();
    await victim.mustRun("ADD");
    const answered = await canPing(container.netns, GATEWAY);
    await victim.mustRun("DEL");
    return answered ? left : [...left, "the far end does not answer"];
  });
  expect(problems).toEqual([]);
  expect(killed).toBeGreaterThanOrEqual(FEWEST_STEPS);
});

test("DEL killed before any step: the next DEL finishes it", async () => {
  await victim.mustRun("ADD");
  const steps = await victim.stepsOf("DEL");
  let killed = 0;
  const problems = await atEveryStep(steps, async (step) => {
    await victim.mustRun("ADD");
    if ((await victim.run("DEL", straceKiller(step))).signal === "SIGKILL") killed += 1;
    await victim.mustRun("DEL");
    return remains();
  });
  expect(problems).toEqual([]);
  expect(killed).toBeGreaterThanOrEqual(FEWEST_STEPS);
});

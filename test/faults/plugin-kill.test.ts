/**
 * `kill -9` of the bridge plugin before each of its steps, in ADD and in DEL. Whatever the step was, the DEL that a
 * runtime sends next succeeds and leaves nothing behind, and a new ADD of the same container works.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { atEveryStep, KilledPlugin } from "../support/killed-plugin.ts";
import { canPing, INTERNET_IPV4, inNetns, Lab } from "../support/lab.ts";
import type { Attachment } from "../support/lab-conflist.ts";
import { leftovers } from "../support/lab-leftovers.ts";
import {
  bridgeConflist,
  type PluginsUnderTest,
  pluginsUnderTest,
  TEST_SUBNETS,
} from "../support/lab-plugins.ts";
import { command, tryCommand } from "../support/lab-process.ts";
import { straceKiller } from "../support/lab-strace.ts";

jest.setTimeout(180_000);

const NETWORK = "kill";
const BRIDGE = "flkill0";
/** A plugin that gets by with fewer steps than this was not traced properly. */
const FEWEST_STEPS = 8;

/** The reference has no GC, so that its run as a control leaves this out, and says so. */
const testOfFairlead = process.env["FAIRLEAD_TEST_PLUGINS"] === "reference" ? test.skip : test;

let lab: Lab;
let plugins: PluginsUnderTest;
let container: Attachment;
let victim: KilledPlugin;

beforeAll(async () => {
  lab = await Lab.open("kill");
  plugins = pluginsUnderTest(lab);
  await plugins.start();
  const network = { name: NETWORK, bridge: BRIDGE, subnets: TEST_SUBNETS };
  const cniVersion = plugins.name === "fairlead" ? "1.1.0" : "1.0.0";
  const conflist = { ...bridgeConflist(plugins, network), cniVersion };
  container = { containerId: "killed", ifname: "eth0", netns: await lab.addContainer("c") };
  victim = new KilledPlugin(lab, { cniPath: plugins.cniPath, conflist, container });
});

afterAll(() => lab.close());

/** What is left once the container is gone: on the host, in the container, and in the plugin's state folder. */
async function remains(): Promise<string[]> {
  const gone = {
    networkName: NETWORK,
    bridges: [BRIDGE],
    addresses: [],
    containerIds: [container.containerId],
  };
  const inContainer = JSON.parse(await command(inNetns(container.netns, "ip", "-j", "link"))) as {
    ifname: string;
  }[];
  return [
    ...(await leftovers(lab, plugins, gone)),
    ...inContainer.map(({ ifname }) => ifname).filter((name) => name !== "lo"),
    ...stateFiles(),
  ];
}

/** Files of the plugin's own, but for those that stay for good (locks). */
function stateFiles(): string[] {
  const folder = join(lab.directory, "node");
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return files.map((entry) => `file ${entry.name}`).filter((name) => !name.endsWith("lock"));
}

test("ADD killed before any step: DEL cleans up, and ADD works again", async () => {
  await victim.mustRun("ADD");
  await victim.mustRun("DEL");
  const steps = await victim.stepsOf("ADD");
  await victim.mustRun("DEL");
  let killed = 0;
  const problems = await atEveryStep(steps, async (step) => {
    if ((await victim.run("ADD", straceKiller(step))).signal === "SIGKILL") killed += 1;
    await victim.mustRun("DEL");
    const left = await remains();
    await victim.mustRun("ADD");
    await victim.mustRun("DEL");
    return left;
  });
  expect(problems).toEqual([]);
  expect(killed).toBeGreaterThanOrEqual(FEWEST_STEPS);
});

test("the first ADD ever, which makes bridge and rules, killed before any step: the next one repairs it", async () => {
  await victim.mustRun("ADD");
  await victim.mustRun("DEL");
  await lab.host(["ip", "link", "del", BRIDGE]);
  await lab.host(["nft", "flush", "ruleset"]);
  const steps = await victim.stepsOf("ADD");
  const problems = await atEveryStep(steps, async (step) => {
    await victim.mustRun("DEL");
    await tryCommand(lab.inHost("ip", "link", "del", BRIDGE));
    await lab.host(["nft", "flush", "ruleset"]);
    await victim.run("ADD", straceKiller(step));
    await victim.mustRun("DEL");
    const left = await remains();
    await victim.mustRun("ADD");
    return (await canPing(container.netns, INTERNET_IPV4)) ? left : [...left, "the internet does not answer"];
  });
  await victim.mustRun("DEL");
  expect(problems).toEqual([]);
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

testOfFairlead("ADD killed before any step, and no DEL: GC gives its addresses back", async () => {
  const steps = await victim.stepsOf("ADD");
  await victim.mustRun("DEL");
  const problems = await atEveryStep(steps, async (step) => {
    await victim.run("ADD", straceKiller(step));
    await victim.mustRun("GC", { "cni.dev/valid-attachments": [] });
    const held = await plugins.boundAddresses(NETWORK);
    await victim.mustRun("DEL");
    return [...held, ...(await remains())];
  });
  expect(problems).toEqual([]);
});

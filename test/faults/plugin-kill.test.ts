/**
 * `kill -9` of the bridge plugin before each of its steps, in ADD and in DEL. Whatever the step was, the DEL that a
 * runtime sends next succeeds and leaves nothing behind, and a new ADD of the same container works.
 */

import { canPing, INTERNET_IPV4 } from "../support/lab/lab.ts";
import { leftovers } from "../support/lab/lab-leftovers.ts";
import { bridgeConflist, TEST_SUBNETS } from "../support/lab/lab-plugins.ts";
import { tryCommand } from "../support/lab/lab-process.ts";
import { straceKiller } from "../support/lab/lab-strace.ts";
import { type Container, PluginLab } from "../support/lab/plugin-lab.ts";
import { atEveryStep, expectNothingLeft, KilledPlugin } from "../support/plugins/killed-plugin.ts";

jest.setTimeout(180_000);

const NETWORK = "kill";
const BRIDGE = "flkill0";

/** The reference has no GC, so that its run as a control leaves this out, and says so. */
const testOfFairlead = process.env["FAIRLEAD_TEST_PLUGINS"] === "reference" ? test.skip : test;

let lab: PluginLab;
let container: Container;
let victim: KilledPlugin;

beforeAll(async () => {
  lab = await PluginLab.open("kill");
  const { plugins } = lab;
  const network = { name: NETWORK, bridge: BRIDGE, subnets: TEST_SUBNETS };
  const cniVersion = plugins.name === "fairlead" ? "1.1.0" : "1.0.0";
  const conflist = { ...bridgeConflist(plugins, network), cniVersion };
  container = await lab.container();
  victim = new KilledPlugin(lab.lab, { cniPath: plugins.cniPath, conflist, container });
});
afterAll(() => lab?.close());

/** What is left once the container is gone: on the host, in the container, and in the plugin's state folder. */
async function remains(): Promise<string[]> {
  const gone = {
    networkName: NETWORK,
    bridges: [BRIDGE],
    addresses: [],
    containerIds: [container.containerId],
  };
  return [
    ...(await leftovers(lab.lab, lab.plugins, gone)),
    ...(await lab.containerLinks(container)),
    ...lab.nodeFiles(),
  ];
}

async function forgetNetwork(): Promise<void> {
  await tryCommand(lab.lab.inHost("ip", "link", "del", BRIDGE));
  await lab.lab.host(["nft", "flush", "ruleset"]);
}

test("ADD killed before any step: DEL cleans up, and ADD works again", async () =>
  expectNothingLeft(await victim.killAdds(remains)));

test("the first ADD ever, which makes bridge and rules, killed before any step: the next one repairs it", async () => {
  await victim.mustRun("ADD");
  await victim.mustRun("DEL");
  await forgetNetwork();
  const steps = await victim.stepsOf("ADD");
  const problems = await atEveryStep(steps, async (step) => {
    await victim.mustRun("DEL");
    await forgetNetwork();
    await victim.run("ADD", straceKiller(step));
    await victim.mustRun("DEL");
    const left = await remains();
    await victim.mustRun("ADD");
    return (await canPing(container.netns, INTERNET_IPV4)) ? left : [...left, "the internet does not answer"];
  });
  await victim.mustRun("DEL");
  expect(problems).toEqual([]);
});

test("DEL killed before any step: the next DEL finishes it", async () =>
  expectNothingLeft(await victim.killDels(remains)));

testOfFairlead("ADD killed before any step, and no DEL: GC gives its addresses back", async () => {
  const steps = await victim.stepsOf("ADD");
  await victim.mustRun("DEL");
  const problems = await atEveryStep(steps, async (step) => {
    await victim.run("ADD", straceKiller(step));
    await victim.mustRun("GC", { "cni.dev/valid-attachments": [] });
    const held = await lab.plugins.boundAddresses(NETWORK);
    await victim.mustRun("DEL");
    return [...held, ...(await remains())];
  });
  expect(problems).toEqual([]);
});

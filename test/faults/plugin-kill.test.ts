/**
 * `kill -9` of the bridge plugin before each of its steps, in ADD and in DEL. Whatever the step was, the DEL that a
 * runtime sends next succeeds and leaves nothing behind, and a new ADD of the same container works.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { canPing, INTERNET_IPV4, inNetns, Lab } from "../support/lab.ts";
import {
  type Attachment,
  type Conflist,
  findPlugin,
  pluginEnvironment,
  requestConfiguration,
  type Verb,
} from "../support/lab-conflist.ts";
import { leftovers } from "../support/lab-leftovers.ts";
import {
  bridgeConflist,
  type PluginsUnderTest,
  pluginsUnderTest,
  TEST_SUBNETS,
} from "../support/lab-plugins.ts";
import { type CommandOutcome, command, requireTools, tryCommand } from "../support/lab-process.ts";
import { recordedSteps, type Step, straceKiller, straceRecorder } from "../support/lab-strace.ts";

jest.setTimeout(180_000);

const NETWORK = "kill";
const BRIDGE = "flkill0";
/** A plugin that gets by with fewer steps than this was not traced properly. */
const FEWEST_STEPS = 8;

/** The reference has no GC, so that its run as a control leaves this out, and says so. */
const testOfFairlead = process.env["FAIRLEAD_TEST_PLUGINS"] === "reference" ? test.skip : test;

let lab: Lab;
let plugins: PluginsUnderTest;
let conflist: Conflist;
let container: Attachment;

beforeAll(async () => {
  requireTools("strace");
  lab = await Lab.open("kill");
  plugins = pluginsUnderTest(lab);
  await plugins.start();
  const network = { name: NETWORK, bridge: BRIDGE, subnets: TEST_SUBNETS };
  const cniVersion = plugins.name === "fairlead" ? "1.1.0" : "1.0.0";
  conflist = { ...bridgeConflist(plugins, network), cniVersion };
  container = { containerId: "killed", ifname: "eth0", netns: await lab.addContainer("c") };
});

afterAll(() => lab.close());

function runBridge(
  verb: Verb,
  wrapper: readonly string[] = [],
  extra: Record<string, unknown> = {},
): Promise<CommandOutcome> {
  const [plugin] = conflist.plugins;
  if (plugin === undefined) throw new Error("the conflist lists no plugin");
  const attachment = verb === "GC" ? undefined : container;
  const argv = [...wrapper, findPlugin(plugins.cniPath, plugin.type)];
  return tryCommand(lab.inHost(...argv), {
    env: pluginEnvironment(verb, plugins.cniPath, attachment),
    input: JSON.stringify(requestConfiguration(conflist, plugin, attachment, extra)),
  });
}

async function mustRun(verb: Verb, extra: Record<string, unknown> = {}): Promise<void> {
  const { status, stdout, stderr } = await runBridge(verb, [], extra);
  if (status !== 0) throw new Error(`${verb}: exit status ${status}: ${stdout}${stderr}`);
}

/** The steps of one undisturbed run of `verb`. */
async function stepsOf(verb: Verb): Promise<Step[]> {
  const file = join(lab.directory, "trace");
  const { status, stdout } = await runBridge(verb, straceRecorder(file));
  if (status !== 0) throw new Error(`${verb} under strace: exit status ${status}: ${stdout}`);
  return recordedSteps(file);
}

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

/** Runs `attempt` for every step and gathers what went wrong, with the step it went wrong at. */
async function atEveryStep(
  steps: readonly Step[],
  attempt: (step: Step) => Promise<string[]>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const step of steps) {
    const found = await attempt(step).catch((cause: Error) => [cause.message]);
    problems.push(...found.map((problem) => `killed before ${step.text}: ${problem}`));
  }
  return problems;
}

test("ADD killed before any step: DEL cleans up, and ADD works again", async () => {
  await mustRun("ADD");
  await mustRun("DEL");
  const steps = await stepsOf("ADD");
  await mustRun("DEL");
  let killed = 0;
  const problems = await atEveryStep(steps, async (step) => {
    if ((await runBridge("ADD", straceKiller(step))).signal === "SIGKILL") killed += 1;
    await mustRun("DEL");
    const left = await remains();
    await mustRun("ADD");
    await mustRun("DEL");
    return left;
  });
  expect(problems).toEqual([]);
  expect(killed).toBeGreaterThanOrEqual(FEWEST_STEPS);
});

test("the first ADD ever, which makes bridge and rules, killed before any step: the next one repairs it", async () => {
  await mustRun("ADD");
  await mustRun("DEL");
  await lab.host(["ip", "link", "del", BRIDGE]);
  await lab.host(["nft", "flush", "ruleset"]);
  const steps = await stepsOf("ADD");
  const problems = await atEveryStep(steps, async (step) => {
    await mustRun("DEL");
    await tryCommand(lab.inHost("ip", "link", "del", BRIDGE));
    await lab.host(["nft", "flush", "ruleset"]);
    await runBridge("ADD", straceKiller(step));
    await mustRun("DEL");
    const left = await remains();
    await mustRun("ADD");
    return (await canPing(container.netns, INTERNET_IPV4)) ? left : [...left, "the internet does not answer"];
  });
  await mustRun("DEL");
  expect(problems).toEqual([]);
});

test("DEL killed before any step: the next DEL finishes it", async () => {
  await mustRun("ADD");
  const steps = await stepsOf("DEL");
  let killed = 0;
  const problems = await atEveryStep(steps, async (step) => {
    await mustRun("ADD");
    if ((await runBridge("DEL", straceKiller(step))).signal === "SIGKILL") killed += 1;
    await mustRun("DEL");
    return remains();
  });
  expect(problems).toEqual([]);
  expect(killed).toBeGreaterThanOrEqual(FEWEST_STEPS);
});

testOfFairlead("ADD killed before any step, and no DEL: GC gives its addresses back", async () => {
  const steps = await stepsOf("ADD");
  await mustRun("DEL");
  const problems = await atEveryStep(steps, async (step) => {
    await runBridge("ADD", straceKiller(step));
    await mustRun("GC", { "cni.dev/valid-attachments": [] });
    const held = await plugins.boundAddresses(NETWORK);
    await mustRun("DEL");
    return [...held, ...(await remains())];
  });
  expect(problems).toEqual([]);
});

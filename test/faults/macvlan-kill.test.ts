/**
 * `kill -9` of the macvlan plugin before each of its steps, in ADD and in DEL: the next DEL succeeds and leaves nothing, and
 * a new ADD of the same container works.
 */

import { canPing, inNetns } from "../support/lab/lab.ts";
import { command } from "../support/lab/lab-process.ts";
import { MACVLAN, MacvlanLab } from "../support/lab/macvlan-lab.ts";
import type { Container } from "../support/lab/plugin-lab.ts";
import { expectNothingLeft, KilledPlugin } from "../support/plugins/killed-plugin.ts";

jest.setTimeout(180_000);

const NETWORK = "kill-macvlan";
const [SUBNET, GATEWAY] = ["10.87.0.0/24", "10.87.0.1"] as const;

let lab: MacvlanLab;
let container: Container;
let victim: KilledPlugin;

beforeAll(async () => {
  lab = await MacvlanLab.open("mvkill");
  const wire = await lab.wire();
  await command(inNetns(wire.far, "ip", "addr", "add", `${GATEWAY}/24`, "dev", "wire0"));
  container = await lab.base.container();
  const { cniPath } = lab.base.plugins;
  const plugin = { type: MACVLAN, master: wire.master, ipam: lab.base.plugins.ipam([SUBNET]) };
  const conflist = { cniVersion: "1.1.0", name: NETWORK, plugins: [plugin] };
  victim = new KilledPlugin(lab.base.lab, { cniPath, conflist, container });
});
afterAll(() => lab?.close());

/** What is left once the container is gone: in it, in the service, and in the plugin's state folder. */
async function remains(): Promise<string[]> {
  const { base } = lab;
  return [
    ...(await base.containerLinks(container)),
    ...(await base.plugins.boundAddresses(NETWORK)),
    ...base.nodeFiles(),
  ];
}

async function silence(): Promise<string[]> {
  return (await canPing(container.netns, GATEWAY)) ? [] : ["the far end does not answer"];
}

test("ADD killed before any step: DEL cleans up, and ADD works again", async () =>
  expectNothingLeft(await victim.killAdds(remains, silence)));

test("DEL killed before any step: the next DEL finishes it", async () =>
  expectNothingLeft(await victim.killDels(remains)));

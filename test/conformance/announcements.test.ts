/** An address that others may have known under another MAC address is announced on the bridge. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { waitUntil } from "../support/lab/lab-process.ts";
import { PluginLab, type TestNetwork } from "../support/lab/plugin-lab.ts";
import { ANNOUNCEMENT_SNIFFER } from "../support/traffic/announcements.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("announce");
});
afterAll(() => lab?.close());

/** Hears what is announced on the network's bridge. */
async function listen(network: TestNetwork): Promise<{ heard(): string; stop(): void }> {
  const [program = "", ...args] = lab.lab.inHost("python3", "-c", ANNOUNCEMENT_SNIFFER, network.bridge);
  const sniffer: ChildProcess = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  let heard = "";
  sniffer.stdout?.on("data", (data) => {
    heard += data;
  });
  if (sniffer.stdout) await once(sniffer.stdout, "data");
  return { heard: () => heard, stop: () => void sniffer.kill() };
}

test("a requested address is announced, in both families", async () => {
  const network = lab.network();
  const config = lab.bridge(network, { ipam: lab.plugins.ipam([network.subnet, network.subnet6]) });
  const containers = [await lab.container(), await lab.container()] as const;
  const [maker, asking] = containers;
  await lab.add(maker, config);
  const { heard, stop } = await listen(network);
  try {
    const wished = [network.subnet.replace("0/24", "77"), network.subnet6.replace("::/64", "::77")];
    await lab.add(asking, { ...config, runtimeConfig: { ips: wished } });
    const wanted = [`arp ${await lab.mac(asking)} ${wished[0]}\n`, `na ${wished[1]}\n`];
    expect(await waitUntil(async () => wanted.every((line) => heard().includes(line)), 10_000)).toBe(true);
  } finally {
    stop();
  }
  for (const container of containers) await lab.succeed("DEL", container, config);
});

/** Many at once, and a reboot: addresses are never given twice and never lost. */
import { randomUUID } from "node:crypto";
import { command } from "../support/lab/lab-process.ts";
import {
  type Configuration,
  type Container,
  expectSilence,
  expectSuccess,
  PluginLab,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("many");
});
afterAll(() => lab?.close());

async function containers(count: number): Promise<Container[]> {
  const made: Container[] = [];
  while (made.length < count) made.push(await lab.container());
  return made;
}

async function ports(network: TestNetwork): Promise<number> {
  return (await lab.onHost("link", "show", "master", network.bridge)).length;
}

test("50 ADDs at once on a bridge that does not exist yet, then 50 DELs at once", async () => {
  const network = lab.network();
  const config = lab.bridge(network, { ipam: lab.plugins.ipam([network.subnet, network.subnet6]) });
  const all = await containers(50);
  const results = await Promise.all(all.map((container) => lab.add(container, config)));

  const given = results.flatMap(({ ips = [] }) => ips.map(({ address }) => address));
  expect(given).toHaveLength(100);
  expect(new Set(given).size).toBe(100);
  const macs = results.map(({ interfaces = [] }) => interfaces[2]?.mac);
  expect(new Set(macs).size).toBe(50);
  expect(await ports(network)).toBe(50);
  expect(await lab.plugins.boundAddresses(network.name)).toHaveLength(100);
  for (const [index, container] of all.entries()) {
    expect(await lab.containerAddresses(container)).toEqual(
      results[index]?.ips?.map(({ address }) => address).sort(),
    );
  }

  await Promise.all(
    all.map((container, index) => lab.succeed("DEL", container, { ...config, prevResult: results[index] })),
  );
  expect(await ports(network)).toBe(0);
  expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
});

test("ADDs and DELs mixed, some of them repeated", async () => {
  const network = lab.network();
  const config = lab.bridge(network);
  const leaving = await containers(12);
  for (const container of leaving) await lab.add(container, config);
  const coming = await containers(12);
  const [results] = await Promise.all([
    Promise.all(coming.map((container) => lab.add(container, config))),
    Promise.all([...leaving, ...leaving].map((container) => lab.succeed("DEL", container, config))),
  ]);
  const given = results.map(({ ips = [] }) => ips[0]?.address.replace("/24", "")).sort();
  expect(new Set(given).size).toBe(12);
  expect(await lab.plugins.boundAddresses(network.name)).toEqual(given);
  expect(await ports(network)).toBe(12);
  for (const [index, container] of coming.entries()) {
    await lab.succeed("CHECK", container, { ...config, prevResult: results[index] });
  }
  await Promise.all(coming.map((container) => lab.succeed("DEL", container, config)));
  expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
});

test("networks that are made at the same time do not disturb each other", async () => {
  const networks = Array.from({ length: 10 }, () => lab.network());
  const all = await containers(10);
  const pairs = networks.flatMap((network, index) => {
    const container = all[index];
    return container === undefined ? [] : [{ container, config: lab.bridge(network) }];
  });
  await Promise.all(pairs.map(({ container, config }) => lab.add(container, config)));
  for (const network of networks) expect(await ports(network)).toBe(1);
  await Promise.all(pairs.map(({ container, config }) => lab.succeed("DEL", container, config)));
  for (const network of networks) expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
});

describe("a reboot", () => {
  /** Runs a plugin as if the kernel had been started anew: with another boot ID. */
  function afterBoot(): readonly string[] {
    const bootId = lab.lab.file("boot_id", `${randomUUID()}\n`);
    const mount = `mount --bind ${bootId} /proc/sys/kernel/random/boot_id && exec "$@"`;
    return ["unshare", "--mount", "sh", "-c", mount, "sh"];
  }

  /** Takes away what a reboot takes away: links, rules, namespaces. */
  async function loseKernelState(network: TestNetwork, container: Container): Promise<void> {
    await lab.lab.host(["ip", "link", "del", network.bridge]);
    await lab.lab.host(["nft", "flush", "ruleset"]);
    await command(["ip", "-n", container.netns.slice("/run/netns/".length), "link", "del", "eth0"]);
  }

  async function attached(): Promise<{ network: TestNetwork; container: Container; config: Configuration }> {
    const network = lab.network();
    const container = await lab.container();
    const config = lab.bridge(network);
    await lab.add(container, config);
    await loseKernelState(network, container);
    return { network, container, config };
  }

  test("the same attachment may be made again, and holds one address", async () => {
    const { network, container, config } = await attached();
    const added = await lab.call({ verb: "ADD", container, config, wrapper: afterBoot() });
    expectSuccess(added);
    const [bound, ...more] = await lab.plugins.boundAddresses(network.name);
    expect(more).toEqual([]);
    expect(await lab.containerAddresses(container)).toEqual([`${bound}/24`]);
    const check = { ...config, prevResult: JSON.parse(added.stdout) as unknown };
    expectSuccess(await lab.call({ verb: "CHECK", container, config: check }));
    await lab.succeed("DEL", container, config);
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  });

  test("DEL of what did not survive releases its address", async () => {
    const { network, container, config } = await attached();
    const gone = { ...container, netns: "" };
    const answer = await lab.call({ verb: "DEL", container: gone, config, wrapper: afterBoot() });
    expectSilence(answer);
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  });

  test("GC releases what no runtime knows any more", async () => {
    const { network, config } = await attached();
    const gc = { ...config, cniVersion: "1.1.0", "cni.dev/valid-attachments": [] };
    expectSuccess(await lab.call({ verb: "GC", config: gc, wrapper: afterBoot() }));
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  });
});

/** Two conflists with one subnet, each its own range: on one bridge, and on two. */
import { tryCommand } from "../support/lab/lab-process.ts";
import { type AnyResult, type Configuration, type Container, PluginLab } from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
let used = 0;
beforeAll(async () => {
  lab = await PluginLab.open("share");
});
afterAll(() => lab?.close());

/** Two networks of one subnet: 10–19 and 20–29. */
function pair(onOneBridge: boolean, keys: Configuration = {}) {
  used += 1;
  const net = `10.188.${used}`;
  const [first, second] = [lab.network(), lab.network()];
  const part = (network: typeof first, from: number): Configuration => {
    const range = { subnet: `${net}.0/24`, rangeStart: `${net}.${from}`, rangeEnd: `${net}.${from + 9}` };
    const ipam = { ...lab.plugins.ipam([]), ranges: [[range]], routes: [{ dst: "0.0.0.0/0" }] };
    const bridge = onOneBridge ? first.bridge : network.bridge;
    return lab.bridge(network, { bridge, ipam, ...keys });
  };
  return { net, first, second, lan1: part(first, 10), lan2: part(second, 20) };
}

async function addTo(config: Configuration): Promise<{ container: Container; result: AnyResult }> {
  const container = await lab.container();
  return { container, result: await lab.add(container, config) };
}

const pingFrom = async (prefix: readonly string[], address: string) =>
  (await tryCommand([...prefix, "ping", "-n", "-c1", "-W5", address])).status;
const inside = ({ netns }: Container) => ["nsenter", `--net=${netns}`];

test("on one bridge they are one LAN: each reaches the other, the host both, and each is masqueraded when the other has gone", async () => {
  const { net, first, lan1, lan2 } = pair(true);
  const [one, two] = [await addTo(lan1), await addTo(lan2)];
  expect([one, two].map(({ result }) => result.ips?.[0]?.address)).toEqual([`${net}.10/24`, `${net}.20/24`]);
  expect(await lab.hostAddresses(first.bridge)).toEqual([`${net}.1/24`]);
  expect(await pingFrom(inside(one.container), `${net}.20`)).toBe(0);
  expect(await pingFrom(inside(two.container), `${net}.10`)).toBe(0);
  for (const { container, result, config } of [
    { ...one, config: lan1 },
    { ...two, config: lan2 },
  ])
    await lab.succeed("CHECK", container, { ...config, prevResult: result });
  await lab.succeed("DEL", one.container, lan1);
  await lab.succeed("GC", undefined, { ...lan1, cniVersion: "1.1.0", "cni.dev/valid-attachments": [] });
  await lab.succeed("CHECK", two.container, { ...lan2, prevResult: two.result });
  expect(await pingFrom(lab.lab.inHost(), `${net}.20`)).toBe(0);
  await lab.succeed("DEL", two.container, lan2);
});

test("isolation belongs to the bridge, and so to one of them", async () => {
  const { first, lan1, lan2 } = pair(true, { isolation: true });
  const one = await addTo(lan1);
  const error = await lab.fail("ADD", await lab.container(), lan2);
  expect(error).toMatchObject({
    code: 104,
    msg: expect.stringContaining(`network ${first.name} is isolated on the same bridge`),
  });
  const open = { ...lan2, isolation: false };
  const two = await addTo(open);
  await lab.succeed("DEL", one.container, lan1);
  await lab.succeed("DEL", two.container, open);
});

test("on two bridges the host reaches the containers of both, and nothing is left when they go", async () => {
  const { net, lan1, lan2 } = pair(false);
  const [one, two] = [await addTo(lan1), await addTo(lan2)];
  for (const { container } of [one, two]) expect(await pingFrom(inside(container), `${net}.1`)).toBe(0);
  for (const address of [`${net}.10`, `${net}.20`]) expect(await pingFrom(lab.lab.inHost(), address)).toBe(0);
  const routes = async () =>
    (await lab.onHost<{ dst: string }>("route", "show", `${net}.20`)).map(({ dst }) => dst);
  expect(await routes()).toEqual([`${net}.20`]);
  await lab.succeed("DEL", two.container, { ...lan2, prevResult: two.result });
  expect(await routes()).toEqual([]);
  await lab.succeed("DEL", one.container, lan1);
});

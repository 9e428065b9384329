/** A subnet that grows, and a gateway that moves, while containers are attached. */
import { tryCommand } from "../support/lab/lab-process.ts";
import { type AnyResult, type Configuration, type Container, PluginLab } from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
let base = 0;
beforeAll(async () => {
  lab = await PluginLab.open("grow");
});
afterAll(() => lab?.close());

/** A network in the lower half of a /23 of its own: every second /24. */
function growing(keys: Configuration = {}) {
  const network = lab.network();
  lab.network();
  base += 2;
  const lower = `10.189.${base}`;
  const upper = `10.189.${base + 1}`;
  const config = (range: object, more: Configuration = {}): Configuration =>
    lab.bridge(network, {
      ...{ isDefaultGateway: true, isolation: true, sourceCheck: true, ...keys, ...more },
      ipam: { ...lab.plugins.ipam([]), ranges: [[range]], routes: [] },
    });
  const before = config({ subnet: `${lower}.0/24` });
  const after = config({ subnet: `${lower}.0/23` });
  return { network, lower, upper, before, after, config };
}

async function addTo(
  config: Configuration,
  args?: string,
): Promise<{ container: Container; result: AnyResult }> {
  const container = { ...(await lab.container()), ...(args !== undefined && { args }) };
  return { container, result: await lab.add(container, config) };
}

const reaches = async (from: Container, address: string) =>
  (await tryCommand(["nsenter", `--net=${from.netns}`, "ping", "-n", "-c1", "-W5", address])).status;

test("a subnet that grows is taken over: containers of before and after reach each other, and both pass CHECK", async () => {
  const { network, lower, upper, before, after } = growing();
  const old = await addTo(before);
  expect(old.result.ips).toMatchObject([{ address: `${lower}.2/24`, gateway: `${lower}.1` }]);
  const young = await addTo(after, `IP=${upper}.7`);
  expect(young.result.ips).toMatchObject([{ address: `${upper}.7/23`, gateway: `${lower}.1` }]);
  expect(await lab.hostAddresses(network.bridge)).toEqual([`${lower}.1/23`]);
  expect(await reaches(old.container, `${upper}.7`)).toBe(0);
  expect(await reaches(young.container, `${lower}.2`)).toBe(0);
  for (const { container, result } of [old, young])
    await lab.succeed("CHECK", container, { ...after, prevResult: result });
  for (const { container } of [old, young]) await lab.succeed("DEL", container, after);
});

test("the broadcast address of before is given to nobody while a container has it", async () => {
  const { lower, before, after } = growing();
  const old = await addTo(before);
  const container = { ...(await lab.container()), args: `IP=${lower}.255` };
  expect(await lab.fail("ADD", container, after)).toMatchObject({
    msg: expect.stringContaining("broadcast address"),
  });
  await lab.succeed("DEL", old.container, after);
});

test("a gateway that moves under a container is refused before the service hears of it", async () => {
  const { network, lower, before, config } = growing();
  const old = await addTo(before);
  const moved = config({ subnet: `${lower}.0/24`, gateway: `${lower}.254` });
  const error = await lab.fail("ADD", await lab.container(), moved);
  expect(error).toMatchObject({ code: 104, msg: expect.stringContaining(`its gateway is ${lower}.1`) });
  expect(await lab.hostAddresses(network.bridge)).toEqual([`${lower}.1/24`]);
  const again = await addTo(before);
  expect(again.result.ips).toMatchObject([{ gateway: `${lower}.1` }]);
  for (const { container } of [old, again]) await lab.succeed("DEL", container, before);
});

test("a network that nobody is attached to may be given any other subnet; with a container on it, it may not", async () => {
  const { network, lower, upper, before, config } = growing();
  const old = await addTo(before);
  const elsewhere = config({ subnet: `${upper}.0/24` });
  expect(await lab.fail("ADD", await lab.container(), elsewhere)).toMatchObject({
    code: 104,
    msg: expect.stringContaining("two would conflict"),
  });
  await lab.succeed("DEL", old.container, before);
  const moved = config({ subnet: `${lower}.0/24`, gateway: `${lower}.254` });
  for (const [next, gateway] of [
    [elsewhere, `${upper}.1`],
    [moved, `${lower}.254`],
  ] as const) {
    const young = await addTo(next);
    expect(young.result.ips).toMatchObject([{ gateway }]);
    expect(await lab.hostAddresses(network.bridge)).toEqual([`${gateway}/24`]);
    await lab.succeed("DEL", young.container, next);
  }
});

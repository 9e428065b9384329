/** GC removes what is stale and nothing else; STATUS tells whether ADD would work. */
import { expectSilence, PluginLab, type TestNetwork } from "../support/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("gc");
});
afterAll(() => lab?.close());

const NEW_KEY = "cni.dev/valid-attachments";
const OLD_KEY = "cni.dev/attachments";

const configOf = (network: TestNetwork, keys = {}) => lab.bridge(network, { cniVersion: "1.1.0", ...keys });

/** Two attachments on one network. */
async function attachTwo() {
  const network = lab.network();
  const [kept, stale] = [await lab.container(), await lab.container()];
  const keptResult = await lab.add(kept, configOf(network));
  const staleResult = await lab.add(stale, configOf(network));
  const valid = [{ containerID: kept.containerId, ifname: kept.ifname }];
  return { network, kept, stale, keptResult, staleResult, valid };
}

const bare = (address: string | undefined) => address?.replace(/\/.*/, "");
/** Links on the host that are ports of the network's bridge; none when the bridge is gone. */
async function hostEnds(network: TestNetwork): Promise<string[]> {
  const links = await lab.onHost<{ ifname: string; master?: string }>("link");
  return links.filter(({ master }) => master === network.bridge).map(({ ifname }) => ifname);
}

describe("GC", () => {
  test.each([
    ["the released name", NEW_KEY],
    ["the name in the tagged text", OLD_KEY],
  ])("with the list under %s keeps what is in it and removes the rest", async (_, key) => {
    const { network, kept, stale, keptResult, valid } = await attachTwo();
    await lab.succeed("GC", undefined, configOf(network, { [key]: valid }));
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([bare(keptResult.ips?.[0]?.address)]);
    expect(await hostEnds(network)).toEqual([keptResult.interfaces?.[1]?.name]);
    expect(await lab.containerLinks(stale)).toEqual([]);
    await lab.succeed("CHECK", kept, configOf(network, { prevResult: keptResult }));
    await lab.succeed("DEL", kept, configOf(network, { prevResult: keptResult }));
  });

  test("with both names the released one counts", async () => {
    const { network, valid } = await attachTwo();
    await lab.succeed("GC", undefined, configOf(network, { [NEW_KEY]: valid, [OLD_KEY]: [] }));
    expect(await lab.plugins.boundAddresses(network.name)).toHaveLength(1);
  });

  test("an empty list removes everything", async () => {
    const { network, kept, stale } = await attachTwo();
    await lab.succeed("GC", undefined, configOf(network, { [NEW_KEY]: [] }));
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
    expect(await hostEnds(network)).toEqual([]);
    expect(await lab.containerLinks(kept)).toEqual([]);
    expect(await lab.containerLinks(stale)).toEqual([]);
  });

  test.each([
    ["absent", {}],
    ["null", { [NEW_KEY]: null }],
  ])("a list that is %s removes nothing", async (_, keys) => {
    const { network, kept, stale, keptResult, staleResult } = await attachTwo();
    await lab.succeed("GC", undefined, configOf(network, keys));
    await lab.succeed("CHECK", kept, configOf(network, { prevResult: keptResult }));
    await lab.succeed("CHECK", stale, configOf(network, { prevResult: staleResult }));
    await lab.succeed("GC", undefined, configOf(network, { [NEW_KEY]: [] }));
  });

  test("leaves other networks alone, the ifname counts, and it may be repeated", async () => {
    const { network, kept, keptResult, valid } = await attachTwo();
    const other = await attachTwo();
    const second = { ...kept, ifname: "eth1" };
    await lab.add(second, configOf(network));
    for (let round = 0; round < 2; round += 1) {
      await lab.succeed("GC", undefined, configOf(network, { [NEW_KEY]: valid }));
      expect(await lab.containerLinks(kept)).toEqual(["eth0"]);
      expect(await lab.plugins.boundAddresses(network.name)).toEqual([bare(keptResult.ips?.[0]?.address)]);
      expect(await lab.plugins.boundAddresses(other.network.name)).toHaveLength(2);
    }
  });

  test("of a network that never was is a success", async () => {
    await lab.succeed("GC", undefined, configOf(lab.network(), { [NEW_KEY]: [] }));
  });

  test("ignores placeholders in the variables that it does not need", async () => {
    const answer = await lab.call({
      verb: "GC",
      config: configOf(lab.network(), { [NEW_KEY]: [] }),
      env: { CNI_IFNAME: "", CNI_CONTAINERID: "../x", CNI_NETNS: "dummy" },
    });
    expectSilence(answer);
  });

  test("a list of another type is refused", async () => {
    const error = await lab.fail("GC", undefined, configOf(lab.network(), { [NEW_KEY]: "all" }));
    expect(error).toMatchObject({ code: 7, msg: expect.stringContaining(NEW_KEY) });
  });
});

describe("STATUS", () => {
  test("is fine when ADD would work, before the first ADD and after", async () => {
    const network = lab.network();
    await lab.succeed("STATUS", undefined, configOf(network));
    const container = await lab.container();
    await lab.add(container, configOf(network));
    await lab.succeed("STATUS", undefined, configOf(network));
    await lab.succeed("DEL", container, configOf(network));
  });

  test("is code 50 when the pool is exhausted", async () => {
    const network = lab.network();
    const only = network.subnet.replace("0/24", "10");
    const ranges = [[{ subnet: network.subnet, rangeStart: only, rangeEnd: only }]];
    const config = configOf(network, { ipam: { ...lab.plugins.ipam([network.subnet]), ranges } });
    const container = await lab.container();
    await lab.add(container, config);
    expect(await lab.fail("STATUS", undefined, config)).toMatchObject({ cniVersion: "1.1.0", code: 50 });
    await lab.succeed("DEL", container, config);
  });

  test("is code 50 when nobody answers at the socket", async () => {
    const network = lab.network();
    const socket = `${lab.lab.directory}/nobody.sock`;
    const ipam = { ...lab.plugins.ipam([network.subnet]), socket };
    const error = await lab.fail("STATUS", undefined, configOf(network, { ipam }));
    expect(error).toMatchObject({ code: 50, msg: expect.stringContaining(socket) });
  });

  test("needs no attachment", async () => {
    const answer = await lab.callRaw({
      env: { CNI_COMMAND: "STATUS", CNI_PATH: lab.plugins.cniPath.join(":") },
      stdin: JSON.stringify(configOf(lab.network())),
    });
    expectSilence(answer);
  });

  test("fails when the delegate is missing", async () => {
    const error = await lab.fail("STATUS", undefined, configOf(lab.network(), { ipam: { type: "no-such" } }));
    expect(error).toMatchObject({ msg: expect.stringContaining("no-such") });
  });
});

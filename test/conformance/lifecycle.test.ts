/** What happens to an attachment when the order of events is not the usual one. */
import { command, tryCommand } from "../support/lab/lab-process.ts";
import {
  type Container,
  expectFailure,
  expectSilence,
  expectSuccess,
  PluginLab,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("life");
});
afterAll(() => lab?.close());

const namespaceOf = ({ netns }: Container) => netns.slice("/run/netns/".length);

/** Links on the host that are ports of the network's bridge. */
async function portsOf(network: TestNetwork): Promise<string[]> {
  const ports = await lab.onHost<{ ifname: string }>("link", "show", "master", network.bridge);
  return ports.map(({ ifname }) => ifname);
}

async function expectGone(container: Container, network: TestNetwork): Promise<void> {
  expect(await portsOf(network)).toEqual([]);
  expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  const rules = await lab.lab.host(["nft", "-s", "list", "ruleset"]);
  expect(rules).not.toContain(container.containerId);
}

test("ADD onto an interface that exists is an error and leaves nothing", async () => {
  const network = lab.network();
  const container = await lab.container();
  await command(["ip", "-n", namespaceOf(container), "link", "add", "eth0", "type", "veth"]);
  const other = await lab.container();
  await lab.add(other, lab.bridge(network));
  const before = await lab.traces(container, network);
  const error = await lab.fail("ADD", container, lab.bridge(network));
  expect(error).toMatchObject({ code: 100, msg: expect.stringContaining("eth0") });
  expect(await lab.traces(container, network)).toEqual(before);
  const [link] = await lab.inContainer<{ linkinfo: { info_kind: string } }>(
    container,
    "-d",
    "link",
    "show",
    "eth0",
  );
  expect(link?.linkinfo.info_kind).toBe("veth");
  await lab.succeed("DEL", other, lab.bridge(network));
});

describe("DEL without what ADD had", () => {
  async function attached() {
    const network = lab.network();
    const container = await lab.container();
    const config = lab.bridge(network);
    const prevResult = await lab.add(container, config);
    return { network, container, config, prevResult };
  }

  test("with an empty CNI_NETNS", async () => {
    const { network, container, config, prevResult } = await attached();
    await lab.succeed("DEL", { ...container, netns: "" }, { ...config, prevResult });
    await expectGone(container, network);
  });

  test("with an empty CNI_NETNS and without prevResult", async () => {
    const { network, container, config } = await attached();
    await lab.succeed("DEL", { ...container, netns: "" }, config);
    await expectGone(container, network);
  });

  test("with CNI_NETNS not set at all", async () => {
    const { network, container, config } = await attached();
    const answer = await lab.callRaw({
      env: {
        CNI_COMMAND: "DEL",
        CNI_CONTAINERID: container.containerId,
        CNI_IFNAME: container.ifname,
        CNI_PATH: lab.plugins.cniPath.join(":"),
      },
      stdin: JSON.stringify(config),
    });
    expectSilence(answer);
    await expectGone(container, network);
  });

  test("with a CNI_NETNS that does not exist", async () => {
    const { network, container, config, prevResult } = await attached();
    await lab.succeed("DEL", { ...container, netns: "/run/netns/no-such" }, { ...config, prevResult });
    await expectGone(container, network);
  });

  test("with a CNI_NETNS that is a plain file: what an unmounted netns leaves", async () => {
    const { network, container, config } = await attached();
    await lab.succeed("DEL", { ...container, netns: lab.lab.file("unmounted", "") }, config);
    await expectGone(container, network);
  });

  test("after the netns went away on its own", async () => {
    const network = lab.network();
    const name = `${lab.lab.hostNetns}-short`;
    await command(["ip", "netns", "add", name]);
    lab.lab.defer("delete the netns if a failure left it", () => tryCommand(["ip", "netns", "del", name]));
    const container = { containerId: "short-lived", netns: `/run/netns/${name}`, ifname: "eth0" };
    const prevResult = await lab.add(container, lab.bridge(network));
    await command(["ip", "netns", "del", name]);
    await lab.succeed("DEL", container, { ...lab.bridge(network), prevResult });
    await expectGone(container, network);
  });

  test("with an empty prevResult, and with one that nobody can read", async () => {
    const { network, container, config } = await attached();
    await lab.succeed("DEL", container, { ...config, prevResult: {} });
    await lab.succeed("DEL", container, { ...config, prevResult: { ips: "none" } });
    await expectGone(container, network);
  });

  test("after the link and the bridge were removed by hand", async () => {
    const { network, container, config, prevResult } = await attached();
    await lab.lab.host(["ip", "link", "del", network.bridge]);
    await command(["ip", "-n", namespaceOf(container), "link", "del", "eth0"]);
    await lab.succeed("DEL", container, { ...config, prevResult });
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  });
});

describe("two attachments of one container", () => {
  /** Without a default route: which of the two has it is not the question here. */
  const config = (network: TestNetwork) =>
    lab.bridge(network, { ipam: { ...lab.plugins.ipam([network.subnet]), routes: [] } });

  test.each([
    ["to one network", () => Array(2).fill(lab.network())],
    ["to two networks", () => [lab.network(), lab.network()]],
  ])("%s do not take each other down", async (_, networks) => {
    const [one, two] = networks() as [TestNetwork, TestNetwork];
    const first = await lab.container();
    const second = { ...first, ifname: "eth1" };
    const firstResult = await lab.add(first, config(one));
    const secondResult = await lab.add(second, config(two));
    expect(secondResult.ips).not.toEqual(firstResult.ips);
    await lab.succeed("CHECK", first, { ...config(one), prevResult: firstResult });
    await lab.succeed("DEL", first, { ...config(one), prevResult: firstResult });
    await lab.succeed("CHECK", second, { ...config(two), prevResult: secondResult });
    await lab.succeed("DEL", second, { ...config(two), prevResult: secondResult });
    await expectGone(first, one);
    await expectGone(second, two);
  });

  test("that both ask for the default route are both in order after ADD", async () => {
    const [one, two] = [lab.network(), lab.network()];
    const first = await lab.container();
    const second = { ...first, ifname: "eth1" };
    const firstResult = await lab.add(first, lab.bridge(one));
    const secondResult = await lab.add(second, lab.bridge(two));
    await lab.succeed("CHECK", first, { ...lab.bridge(one), prevResult: firstResult });
    await lab.succeed("CHECK", second, { ...lab.bridge(two), prevResult: secondResult });
    await lab.succeed("DEL", second, lab.bridge(two));
    await lab.succeed("CHECK", first, { ...lab.bridge(one), prevResult: firstResult });
    await lab.succeed("DEL", first, lab.bridge(one));
  });
});

test("ADD after another plugin of the chain: its prevResult does no harm", async () => {
  const network = lab.network();
  const container = await lab.container();
  const prevResult = {
    cniVersion: "1.0.0",
    interfaces: [{ name: "lo", mac: "00:00:00:00:00:00", sandbox: container.netns }],
    ips: [{ address: "127.0.0.1/8", interface: 0 }],
  };
  const result = await lab.add(container, lab.bridge(network, { prevResult }));
  const link = result.interfaces?.findIndex(({ name }) => name === "eth0") ?? -1;
  const own = result.ips?.filter((ip) => ip.interface === link).map(({ address }) => address);
  expect(own).toEqual(await lab.containerAddresses(container));
  await lab.succeed("DEL", container, { ...lab.bridge(network), prevResult: result });
});

test("the netns of CNI_NETNS_OVERRIDE is the plugin's own, and that is meant", async () => {
  const network = lab.network();
  const container = { containerId: "own-netns", netns: `/run/netns/${lab.lab.hostNetns}`, ifname: "ovr0" };
  const call = { container, config: lab.bridge(network), env: { CNI_NETNS_OVERRIDE: "1" } };
  const added = await lab.call({ ...call, verb: "ADD" });
  expectSuccess(added);
  expect(await lab.lab.hostLinks()).toContain("ovr0");
  expectSilence(await lab.call({ ...call, verb: "DEL" }));
  expect(await lab.lab.hostLinks()).not.toContain("ovr0");
});

test.each(["ADD", "DEL", "CHECK"])(
  "%s in the plugin's own netns is code 8, before anything is done",
  async (verb) => {
    const network = lab.network();
    const container = { ...(await lab.container()), netns: `/run/netns/${lab.lab.hostNetns}` };
    const before = await lab.lab.hostLinks();
    const answer = await lab.call({ verb, container, config: lab.bridge(network, { prevResult: {} }) });
    expect(expectFailure(answer)).toMatchObject({ code: 8 });
    expect(await lab.lab.hostLinks()).toEqual(before);
  },
);

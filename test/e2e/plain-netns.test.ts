/**
 * The plugins executed directly, as `cnitool` does, for containers that are nothing but network namespaces.
 */
import {
  canPing,
  HOST_IPV4,
  INTERNET_IPV4,
  INTERNET_IPV6,
  inNetns,
  Lab,
  netnsPath,
} from "../support/lab/lab.ts";
import { type Attachment, type CniResult, ConflistRunner } from "../support/lab/lab-conflist.ts";
import { leftovers } from "../support/lab/lab-leftovers.ts";
import {
  bridgeConflist,
  type PluginsUnderTest,
  pluginsUnderTest,
  TEST_SUBNETS,
} from "../support/lab/lab-plugins.ts";
import { command } from "../support/lab/lab-process.ts";

jest.setTimeout(60_000);

const NETWORK = "plain";
const BRIDGE = "flplain0";

describe("two containers on a dual-stack bridge network", () => {
  let lab: Lab;
  let plugins: PluginsUnderTest;
  let runner: ConflistRunner;
  let first: Attachment;
  let second: Attachment;
  let results: { first: CniResult; second: CniResult };

  beforeAll(async () => {
    lab = await Lab.open("plain");
    plugins = pluginsUnderTest(lab);
    await plugins.start();
    const conflist = bridgeConflist(plugins, { name: NETWORK, bridge: BRIDGE, subnets: TEST_SUBNETS });
    runner = new ConflistRunner(lab, plugins.cniPath, conflist);
    first = { containerId: "plain-1", ifname: "eth0", netns: await lab.addContainer("c1") };
    second = { containerId: "plain-2", ifname: "eth0", netns: await lab.addContainer("c2") };
    results = { first: await runner.add(first), second: await runner.add(second) };
  });

  afterAll(() => lab.close());

  test("every result holds one address of each subnet and the three interfaces", () => {
    for (const [result, attachment] of [
      [results.first, first],
      [results.second, second],
    ] as const) {
      expect(result.cniVersion).toBe("1.0.0");
      expect(addressesOf(result)).toEqual([
        expect.stringMatching(/^10\.88\.0\.\d+$/),
        expect.stringMatching(/^fd00:88::/),
      ]);
      expect(result.interfaces).toHaveLength(3);
      expect(result.interfaces?.[2]).toMatchObject({ name: "eth0", sandbox: attachment.netns });
    }
  });

  test("the IPAM holds exactly the addresses of the results", async () => {
    const given = [...addressesOf(results.first), ...addressesOf(results.second)].sort();
    expect(await plugins.boundAddresses(NETWORK)).toEqual(given);
  });

  test("the containers ping each other over both families", async () => {
    for (const address of addressesOf(results.second))
      expect([address, await canPing(first.netns, address)]).toEqual([address, true]);
    for (const address of addressesOf(results.first))
      expect([address, await canPing(second.netns, address)]).toEqual([address, true]);
  });

  test("they reach the host", async () => {
    expect(await canPing(first.netns, HOST_IPV4)).toBe(true);
    expect(await canPing(second.netns, gatewayOf(results.second))).toBe(true);
  });

  test("they reach the internet, which answers only what is masqueraded", async () => {
    expect(await canPing(first.netns, INTERNET_IPV4)).toBe(true);
    expect(await canPing(second.netns, INTERNET_IPV6)).toBe(true);
    // The control: the same way without masquerade has no answer.
    expect(await canPing(netnsPath(lab.internetNetns), addressesOf(results.first)[0] ?? "")).toBe(false);
  });

  test("CHECK accepts what ADD made and refuses it while an address is missing", async () => {
    await runner.check(first);
    const address = results.first.ips?.[0]?.address ?? "";
    const change = (verb: string) =>
      command(inNetns(first.netns, "ip", "addr", verb, address, "dev", "eth0"));
    await change("del");
    await expect(runner.check(first)).rejects.toThrow("CHECK");
    await change("add");
  });

  test("DEL removes link, lease and rules, with the netns, without it, and repeatedly", async () => {
    await runner.del(first);
    await runner.del(first);
    await runner.del({ ...first, netns: "" });
    expect(await plugins.boundAddresses(NETWORK)).toEqual(addressesOf(results.second).sort());
    await runner.del(second);
    await runner.del({ ...second, netns: "" });
    const addresses = [...addressesOf(results.first), ...addressesOf(results.second)];
    const containerIds = [first.containerId, second.containerId];
    const gone = { networkName: NETWORK, bridges: [BRIDGE], addresses, containerIds };
    expect(await leftovers(lab, plugins, gone)).toEqual([]);
  });
});

function addressesOf(result: CniResult): string[] {
  return (result.ips ?? []).map(({ address }) => address.split("/")[0] ?? "");
}

function gatewayOf(result: CniResult): string {
  return result.ips?.[0]?.gateway ?? "";
}

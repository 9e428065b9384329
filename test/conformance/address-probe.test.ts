/**
 * Addresses that a machine on the network has already, which the service does not know: asked for before use, where `probe`
 * says so, on macvlans and on bridges.
 *
 * The machine is the netns at the far end of the wire. Its addresses are those that the service would grant first.
 */

import { getOverUnixSocket } from "../support/lab/lab-plugins.ts";
import { command } from "../support/lab/lab-process.ts";
import { MACVLAN, MacvlanLab, type Wire } from "../support/lab/macvlan-lab.ts";
import {
  type AnyResult,
  type Configuration,
  type Container,
  expectFailure,
  expectSuccess,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

const BRIDGE = "fairlead-bridge";
/** Code of address-in-use. */
const IN_USE = 102;

let lab: MacvlanLab;
beforeAll(async () => {
  lab = await MacvlanLab.open("pr");
});
afterAll(() => lab?.close());

interface Scene {
  readonly type: string;
  readonly network: TestNetwork;
  readonly wire: Wire;
  readonly farMac: string;
}

const farName = ({ far }: Wire) => far.slice("/run/netns/".length);

/** A network whose members are on a wire of their own, by macvlan or through a bridge. */
async function scene(type: string): Promise<Scene> {
  const wire = await lab.wire();
  const network = lab.base.network();
  if (type === BRIDGE) {
    await lab.base.lab.host(["ip", "link", "add", network.bridge, "type", "bridge"]);
    await lab.base.lab.host(["ip", "link", "set", network.bridge, "up"]);
    await lab.base.lab.host(["ip", "link", "set", wire.master, "master", network.bridge]);
  }
  const [link] = JSON.parse(await command(["ip", "-n", farName(wire), "-j", "link", "show", "wire0"])) as {
    address: string;
  }[];
  return { type, network, wire, farMac: link?.address ?? "" };
}

/** The `number`th host of the IPv4 or IPv6 subnet. */
const host4 = ({ network }: Scene, number: number) => network.subnet.replace("0/24", `${number}`);
const host6 = ({ network }: Scene, number: number) => network.subnet6.replace("/64", `${number}`);

/**
 * Makes the network known to the service before anything is taken: of a bridge that is new to it, it has the node look at what
 * is behind the ports, and finds this machine's other ends without any probe.
 */
async function declare(at: Scene, of: Configuration, ...ips: string[]): Promise<void> {
  if (at.type !== BRIDGE) return;
  const container = await lab.base.container();
  await add(container, { ...of, args: { cni: { ips } } });
  await lab.base.succeed("DEL", container, of);
}

async function take({ wire }: Scene, ...addresses: string[]): Promise<void> {
  for (const address of addresses) {
    const with6 = address.includes(":") ? [`${address}/64`, "nodad"] : [`${address}/24`];
    await command(["ip", "-n", farName(wire), "addr", "add", ...with6, "dev", "wire0"]);
  }
}

/** Ranges of the hosts 10 to `last`. */
function config(at: Scene, last: number, keys: Configuration = {}): Configuration {
  const { network, wire, type } = at;
  const range = (subnet: string, start: string, end: string) => [
    { subnet, rangeStart: start, rangeEnd: end },
  ];
  const { routes: _, ...ipam } = lab.base.plugins.ipam([network.subnet]);
  const ranges = [range(network.subnet, host4(at, 10), host4(at, last))];
  const link = type === MACVLAN ? { master: wire.master } : { bridge: network.bridge };
  return {
    cniVersion: "1.0.0",
    name: network.name,
    type,
    ...link,
    probe: true,
    ipam: { ...ipam, ranges },
    ...keys,
  };
}

function withIpv6(at: Scene, given: Configuration, last: number): Configuration {
  const ipam = given["ipam"] as { readonly ranges: readonly unknown[] };
  const range = { subnet: at.network.subnet6, rangeStart: host6(at, 10), rangeEnd: host6(at, last) };
  return { ...given, ipam: { ...ipam, ranges: [...ipam.ranges, [range]] } };
}

async function add(container: Container, of: Configuration): Promise<string[]> {
  const answer = await lab.base.call({ verb: "ADD", container, config: of, type: String(of["type"]) });
  expectSuccess(answer);
  const result = JSON.parse(answer.stdout) as AnyResult;
  return result.ips?.map(({ address }) => address.replace(/\/.*/, "")) ?? [];
}

async function refused(container: Container, of: Configuration) {
  return expectFailure(await lab.base.call({ verb: "ADD", container, config: of, type: String(of["type"]) }));
}

async function quarantined({ network }: Scene): Promise<Readonly<Record<string, string>>> {
  const { socket } = lab.base.plugins.ipam([]);
  const query = new URLSearchParams({ networkName: network.name, state: "quarantined" });
  const { body } = await getOverUnixSocket(String(socket), `/v1/leases?${query}`);
  const { leases } = JSON.parse(body) as { leases: readonly { address: string; reason: string }[] };
  return Object.fromEntries(leases.map(({ address, reason }) => [address, reason]));
}

describe.each([MACVLAN, BRIDGE])("%s", (type) => {
  test("taken addresses go into quarantine with the MAC address of their holder, and the next one is granted", async () => {
    const at = await scene(type);
    await declare(at, config(at, 20), host4(at, 20));
    await take(at, host4(at, 10), host4(at, 11));
    const container = await lab.base.container();
    expect(await add(container, config(at, 20))).toEqual([host4(at, 12)]);
    expect(await lab.base.containerAddresses(container)).toEqual([`${host4(at, 12)}/24`]);
    expect(await lab.base.plugins.boundAddresses(at.network.name)).toEqual([host4(at, 12)]);
    const byFar = expect.stringContaining(at.farMac);
    expect(await quarantined(at)).toEqual({ [host4(at, 10)]: byFar, [host4(at, 11)]: byFar });
    await command(["ip", "-n", farName(at.wire), "neigh", "flush", "dev", "wire0"]);
    await command([
      "ip",
      "netns",
      "exec",
      farName(at.wire),
      "ping",
      "-q",
      "-c",
      "1",
      "-W",
      "5",
      host4(at, 12),
    ]);
  });

  test("in IPv6, too", async () => {
    const at = await scene(type);
    const both = withIpv6(at, config(at, 20), 20);
    await declare(at, both, host4(at, 20), host6(at, 20));
    await take(at, host6(at, 10));
    const container = await lab.base.container();
    const [, address6] = await add(container, both);
    expect(address6).toBe(host6(at, 11));
    expect(await quarantined(at)).toEqual({ [host6(at, 10)]: expect.stringContaining(at.farMac) });
    expect(await lab.base.containerAddresses(container)).toContain(`${host6(at, 11)}/64`);
  });

  test("one that was asked for by name is refused, naming the holder, and stays free to be asked for", async () => {
    const at = await scene(type);
    await declare(at, config(at, 20), host4(at, 20));
    await take(at, host4(at, 15));
    const container = { ...(await lab.base.container()), args: `IP=${host4(at, 15)}` };
    const error = await refused(container, config(at, 20));
    expect(error).toMatchObject({ code: IN_USE, msg: expect.stringContaining(at.farMac) });
    expect(await lab.base.containerLinks(container)).toEqual([]);
    expect(await lab.base.plugins.boundAddresses(at.network.name)).toEqual([]);
    expect(await quarantined(at)).toEqual({});
    await command(["ip", "-n", farName(at.wire), "addr", "flush", "dev", "wire0"]);
    expect(await add(container, config(at, 20))).toEqual([host4(at, 15)]);
  });

  test("one that the configuration names is refused", async () => {
    const at = await scene(type);
    await take(at, host4(at, 30));
    const ipam = { type: "fairlead-static", addresses: [{ address: `${host4(at, 30)}/24` }] };
    const container = await lab.base.container();
    const error = await refused(container, config(at, 20, { ipam }));
    expect(error).toMatchObject({ code: IN_USE, msg: expect.stringContaining(at.farMac) });
    expect(await lab.base.containerLinks(container)).toEqual([]);
  });

  test("after five in a row no more are tried, and nothing is left but the quarantine", async () => {
    const at = await scene(type);
    const numbers = [10, 11, 12, 13, 14, 15];
    await declare(at, config(at, 20), host4(at, 20));
    await take(at, ...numbers.map((number) => host4(at, number)));
    const container = await lab.base.container();
    const error = await refused(container, config(at, 20));
    expect(error).toMatchObject({ code: IN_USE, msg: expect.stringContaining("the 4 addresses before it") });
    expect(await lab.base.containerLinks(container)).toEqual([]);
    expect(await lab.base.plugins.boundAddresses(at.network.name)).toEqual([]);
    expect(Object.keys(await quarantined(at)).sort()).toEqual(
      numbers.slice(0, 5).map((number) => host4(at, number)),
    );
  });

  test("where nobody answers, and where nobody can, the first address is granted", async () => {
    const at = await scene(type);
    await take(at, host4(at, 99), host6(at, 99));
    const both = withIpv6(at, config(at, 20), 20);
    expect(await add(await lab.base.container(), both)).toEqual([host4(at, 10), host6(at, 10)]);
    await command(["ip", "-n", farName(at.wire), "link", "set", "wire0", "down"]);
    expect(await add(await lab.base.container(), both)).toEqual([host4(at, 11), host6(at, 11)]);
    expect(await quarantined(at)).toEqual({});
  });

  test("nobody is asked without the key", async () => {
    const at = await scene(type);
    await declare(at, config(at, 20), host4(at, 20));
    await take(at, host4(at, 10));
    expect(await add(await lab.base.container(), config(at, 20, { probe: false }))).toEqual([host4(at, 10)]);
  });
});

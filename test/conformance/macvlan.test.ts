/** `fairlead-macvlan`: every verb at every version, failures that leave nothing, DEL without what ADD had, CHECK, GC, STATUS. */
import { CNI_VERSIONS } from "../../lib/cni/versions.ts";
import { command, tryCommand } from "../support/lab/lab-process.ts";
import { MACVLAN, MacvlanLab, type Wire } from "../support/lab/macvlan-lab.ts";
import {
  type AnyResult,
  type Configuration,
  type Container,
  expectFailure,
  expectSilence,
  expectSuccess,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: MacvlanLab;
let wire: Wire;
beforeAll(async () => {
  lab = await MacvlanLab.open("mv");
  wire = await lab.wire();
});
afterAll(() => lab?.close());

const gatewayOf = (network: TestNetwork) => network.subnet.replace("0/24", "1");
const namespaceOf = ({ netns }: Container) => netns.slice("/run/netns/".length);
const addressOf = (result: AnyResult) => result.ip4?.ip ?? result.ips?.[0]?.address ?? "";

describe.each(CNI_VERSIONS)("%s", (cniVersion) => {
  let network: TestNetwork;
  let container: Container;
  let config: Configuration;
  let result: AnyResult;

  beforeAll(async () => {
    network = lab.base.network();
    container = await lab.base.container();
    config = lab.config(network, wire, { cniVersion });
  });

  test("ADD answers in the shape of the version", async () => {
    result = await lab.add(container, config);
    const address = expect.stringMatching(/^10\.90\.\d+\.\d+\/24$/);
    const gateway = gatewayOf(network);
    const routes = [{ dst: "0.0.0.0/0" }];
    if (cniVersion < "0.3.0") {
      expect(result).toEqual({ cniVersion, ip4: { ip: address, gateway, routes }, dns: {} });
      return;
    }
    const old = cniVersion < "1.0.0";
    const mac = expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    expect(result).toEqual({
      cniVersion,
      interfaces: [{ name: "eth0", mac, ...(!old && { mtu: 1500 }), sandbox: container.netns }],
      ips: [{ ...(old && { version: "4" }), address, gateway, interface: 0 }],
      routes,
      ...(old && { dns: {} }),
    });
  });

  test("the kernel has what the result says", async () => {
    const link = await lab.link(container);
    expect(link).toMatchObject({
      ifname: "eth0",
      mtu: 1500,
      ifalias: `fairlead:${network.name}/${container.containerId}/eth0`,
      flags: expect.arrayContaining(["UP"]),
      linkinfo: { info_kind: "macvlan", info_data: { mode: "bridge" } },
    });
    if (result.interfaces) expect(link?.address).toBe(result.interfaces[0]?.mac);
    expect(await lab.base.containerAddresses(container)).toEqual([addressOf(result)]);
    const routes = await lab.base.inContainer(container, "route", "show", "default");
    expect(routes).toMatchObject([{ gateway: gatewayOf(network), dev: "eth0" }]);
    expect(await lab.base.plugins.boundAddresses(network.name)).toEqual([
      addressOf(result).replace("/24", ""),
    ]);
  });

  test("a second ADD for the same attachment is an error and breaks nothing", async () => {
    await lab.fail("ADD", container, config);
    expect(await lab.base.containerAddresses(container)).toEqual([addressOf(result)]);
    expect(await lab.base.plugins.boundAddresses(network.name)).toHaveLength(1);
  });

  test("CHECK finds all of it, where there is CHECK", async () => {
    const check = { ...config, prevResult: result };
    if (cniVersion >= "0.4.0") await lab.succeed("CHECK", container, check);
    else expect(await lab.fail("CHECK", container, check)).toMatchObject({ cniVersion, code: 1 });
  });

  test.each(["GC", "STATUS"])("%s is there from 1.1.0 on", async (verb) => {
    const valid = [{ containerID: container.containerId, ifname: container.ifname }];
    const asked = { ...config, "cni.dev/valid-attachments": valid };
    const answer = await lab.base.call({ verb, config: asked, type: MACVLAN });
    if (cniVersion === "1.1.0") expectSilence(answer);
    else expect(expectFailure(answer)).toMatchObject({ cniVersion, code: 1 });
    expect(await lab.base.containerLinks(container)).toEqual(["eth0"]);
  });

  test("DEL takes it all away, says nothing, and may be repeated", async () => {
    const del = cniVersion >= "0.4.0" ? { ...config, prevResult: result } : config;
    await lab.succeed("DEL", container, del);
    expect(await lab.base.containerLinks(container)).toEqual([]);
    expect(await lab.base.plugins.boundAddresses(network.name)).toEqual([]);
    await lab.succeed("DEL", container, del);
    await lab.succeed("DEL", { ...container, containerId: "never-added" }, config);
  });
});

describe("an ADD that fails leaves nothing", () => {
  const exhausted = (network: TestNetwork): Configuration => {
    const only = gatewayOf(network).replace(/1$/, "10");
    const ranges = [
      [{ subnet: network.subnet, rangeStart: only, rangeEnd: only, gateway: gatewayOf(network) }],
    ];
    return { ipam: { ...lab.base.plugins.ipam([network.subnet]), ranges } };
  };

  async function expectNothingLeft(
    config: Configuration,
    network: TestNetwork,
    told: { code: number; text: string },
  ) {
    const { code, text } = told;
    const container = await lab.base.container();
    const before = await lab.base.traces(container, network);
    const error = await lab.fail("ADD", container, config);
    expect(error).toMatchObject({ code, msg: expect.stringContaining(text) });
    expect(await lab.base.traces(container, network)).toEqual(before);
    // The runtime's DEL follows. It tells the same mistake, where it is one that keeps DEL from its work.
    if (![7, 111].includes(code)) await lab.succeed("DEL", container, config);
  }

  test("when the pool is exhausted", async () => {
    const network = lab.base.network();
    const config = lab.config(network, wire, exhausted(network));
    const holder = await lab.base.container();
    await lab.add(holder, config);
    await expectNothingLeft(config, network, { code: 11, text: "no address is free" });
    await lab.succeed("DEL", holder, config);
  });

  test("when nobody answers at the socket", async () => {
    const network = lab.base.network();
    const socket = `${lab.base.lab.directory}/nobody.sock`;
    const ipam = { ...lab.base.plugins.ipam([network.subnet]), socket };
    const container = await lab.base.container();
    const error = await lab.fail("ADD", container, lab.config(network, wire, { ipam }));
    expect(error).toMatchObject({ code: 11, msg: expect.stringContaining(socket) });
    expect(await lab.base.containerLinks(container)).toEqual([]);
  });

  test("when a route's gateway cannot be reached", async () => {
    const network = lab.base.network();
    const routes = [{ dst: "192.0.2.0/24", gw: "203.0.113.1" }];
    const ipam = { ...lab.base.plugins.ipam([network.subnet]), routes };
    await expectNothingLeft(lab.config(network, wire, { ipam }), network, { code: 7, text: "203.0.113.1" });
  });

  test.each([
    ["the master is not there", { master: "no-such0" }, 101, "no-such0"],
    ["the MTU is above the master's", { mtu: 1501 }, 7, "1501"],
    ["the mode is none", { mode: "source" }, 7, "passthru"],
    ["the IPAM plugin is not there", { ipam: { type: "no-such-ipam" } }, 111, "no-such-ipam"],
    ["the master is a loopback", { master: "lo" }, 104, "no Ethernet link"],
    ["another MAC is asked for in passthru", { mode: "passthru", mac: "02:00:00:00:00:77" }, 2, "passthru"],
    ["the version can tell no result without addresses", { ipam: {}, cniVersion: "0.2.0" }, 7, "0.2.0"],
  ])("when %s", async (...[_, keys, code, text]) => {
    const network = lab.base.network();
    await expectNothingLeft(lab.config(network, wire, keys), network, { code, text });
  });

  test("when the master is a port of a bridge", async () => {
    const { master } = await lab.wire();
    await lab.base.lab.host(["ip", "link", "add", "brport0", "type", "bridge"]);
    await lab.base.lab.host(["ip", "link", "set", master, "master", "brport0"]);
    const network = lab.base.network();
    await expectNothingLeft(lab.config(network, { master }), network, { code: 104, text: master });
    await lab.base.lab.host(["ip", "link", "del", "brport0"]);
  });

  test("when another container on the master has the MAC address", async () => {
    const mac = "02:00:00:00:00:88";
    const network = lab.base.network();
    const config = lab.config(network, wire, { mac });
    const holder = await lab.base.container();
    await lab.add(holder, config);
    await expectNothingLeft(config, network, { code: 104, text: mac });
    await lab.succeed("DEL", holder, config);
  });

  test("when the container has an interface of that name", async () => {
    const network = lab.base.network();
    const container = await lab.base.container();
    await command(["ip", "-n", namespaceOf(container), "link", "add", "eth0", "type", "veth"]);
    const before = await lab.base.traces(container, network);
    const config = lab.config(network, wire);
    expect(await lab.fail("ADD", container, config)).toMatchObject({ code: 100 });
    expect(await lab.base.traces(container, network)).toEqual(before);
    // And DEL, which follows, leaves the other interface alone.
    await lab.succeed("DEL", container, config);
    expect(await lab.base.traces(container, network)).toEqual(before);
  });
});

describe("DEL without what ADD had", () => {
  async function attached(keys: Configuration = {}) {
    const network = lab.base.network();
    const container = await lab.base.container();
    const config = lab.config(network, wire, keys);
    const prevResult = await lab.add(container, config);
    return { network, container, config, prevResult };
  }

  test.each([
    ["an empty CNI_NETNS", ""],
    ["a CNI_NETNS that does not exist", "/run/netns/no-such"],
  ])("with %s", async (_, netns) => {
    const { network, container, config, prevResult } = await attached();
    await lab.succeed("DEL", { ...container, netns }, { ...config, prevResult });
    expect(await lab.base.plugins.boundAddresses(network.name)).toEqual([]);
    await lab.succeed("DEL", container, config);
    expect(await lab.base.containerLinks(container)).toEqual([]);
  });

  test("after the netns, and the link with it, went away", async () => {
    const network = lab.base.network();
    const name = `${lab.base.lab.hostNetns}-short`;
    await command(["ip", "netns", "add", name]);
    lab.base.lab.defer("delete the netns if a failure left it", () =>
      tryCommand(["ip", "netns", "del", name]),
    );
    const container = { containerId: "short-lived", netns: `/run/netns/${name}`, ifname: "eth0" };
    const config = lab.config(network, wire);
    await lab.add(container, config);
    await command(["ip", "netns", "del", name]);
    await lab.succeed("DEL", container, config);
    expect(await lab.base.plugins.boundAddresses(network.name)).toEqual([]);
  });

  test("after the master went away", async () => {
    const { master } = await lab.wire();
    const { network, container, config } = await attached({ master });
    await lab.base.lab.host(["ip", "link", "del", master]);
    await lab.succeed("DEL", container, config);
    expect(await lab.base.plugins.boundAddresses(network.name)).toEqual([]);
  });

  test("after the master got another name", async () => {
    const { master } = await lab.wire();
    const { container, config } = await attached({ master });
    await lab.base.lab.host(["ip", "link", "set", master, "down"]);
    await lab.base.lab.host(["ip", "link", "set", master, "name", "renamed0"]);
    await lab.succeed("DEL", container, config);
    expect(await lab.base.containerLinks(container)).toEqual([]);
  });

  test("of another network: its interface stays", async () => {
    const { container, config, network } = await attached();
    await lab.succeed("DEL", container, lab.config(lab.base.network(), wire));
    expect(await lab.base.containerLinks(container)).toEqual(["eth0"]);
    await lab.succeed("DEL", container, config);
    expect(await lab.base.plugins.boundAddresses(network.name)).toEqual([]);
  });

  test("what the reference plugin made before the configuration was changed goes", async () => {
    const network = lab.base.network();
    const container = await lab.base.container();
    const config = lab.config(network, wire, { type: "macvlan" });
    await lab.base.call({ verb: "ADD", container, config, type: "macvlan" });
    expect(await lab.base.containerLinks(container)).toEqual(["eth0"]);
    const other = await lab.wire();
    await lab.succeed("DEL", container, lab.config(lab.base.network(), other));
    expect(await lab.base.containerLinks(container)).toEqual(["eth0"]);
    await lab.succeed("DEL", container, lab.config(network, wire));
    expect(await lab.base.containerLinks(container)).toEqual([]);
    expect(await lab.base.plugins.boundAddresses(network.name)).toEqual([]);
  });
});

describe("CHECK fails when", () => {
  type Break = (container: Container, result: AnyResult, master: string) => Promise<unknown>;
  const inside =
    (...argv: readonly string[]): Break =>
    (container) =>
      command(["ip", "-n", namespaceOf(container), ...argv]);

  test.each<readonly [string, Break]>([
    ["the link is gone", inside("link", "del", "eth0")],
    ["the link is down", inside("link", "set", "eth0", "down")],
    ["the link has another MAC", inside("link", "set", "eth0", "address", "02:00:00:00:00:99")],
    ["the link has another mode", inside("link", "set", "eth0", "type", "macvlan", "mode", "private")],
    ["the link has another MTU", inside("link", "set", "eth0", "mtu", "1300")],
    ["an address is gone", inside("addr", "flush", "dev", "eth0", "scope", "global")],
    ["the default route is gone", inside("route", "del", "default")],
    ["the IPv6 default route is gone", inside("-6", "route", "del", "default")],
    ["the master is gone", (_, __, master) => lab.base.lab.host(["ip", "link", "del", master])],
    [
      "it is on another link",
      async (container, result) => {
        const { master } = await lab.wire();
        await inside("link", "del", "eth0")(container, result, master);
        await lab.base.lab.host(["ip", "link", "set", master, "address", "02:00:00:00:00:55"]);
        const mac = result.interfaces?.[0]?.mac ?? "";
        const name = namespaceOf(container);
        const make = ["ip", "link", "add", "tmp0", "link", master, "netns", name, "address", mac];
        await lab.base.lab.host([...make, "type", "macvlan", "mode", "bridge"]);
        await command(["ip", "-n", name, "link", "set", "tmp0", "name", "eth0", "mtu", "1400", "up"]);
      },
    ],
    [
      "the lease is gone",
      async (container, result) => {
        const config = { ...configOf.get(container.containerId), prevResult: result };
        await lab.base.call({ verb: "DEL", container, config, type: "fairlead-ipam" });
      },
    ],
  ])("%s", async (_, breakIt) => {
    const { master } = await lab.wire();
    const network = lab.base.network();
    const container = await lab.base.container();
    const ipam = lab.base.plugins.ipam([network.subnet, network.subnet6]);
    const config = lab.config(network, { master }, { mtu: 1400, ipam });
    configOf.set(container.containerId, config);
    const prevResult = await lab.add(container, config);
    await lab.succeed("CHECK", container, { ...config, prevResult });
    await breakIt(container, prevResult, master);
    const error = await lab.fail("CHECK", container, { ...config, prevResult });
    expect(error).toMatchObject({ cniVersion: "1.0.0", code: 105 });
    await lab.succeed("DEL", container, { ...config, prevResult });
  });

  const configOf = new Map<string, Configuration>();
});

describe("GC and STATUS", () => {
  const newest = { cniVersion: "1.1.0" };

  test("GC releases the addresses of what is not valid, and keeps the rest", async () => {
    const network = lab.base.network();
    const config = lab.config(network, wire, newest);
    const [kept, stale] = [await lab.base.container(), await lab.base.container()];
    const result = await lab.add(kept, config);
    await lab.add(stale, config);
    const valid = [{ containerID: kept.containerId, ifname: kept.ifname }];
    await lab.succeed("GC", undefined, { ...config, "cni.dev/valid-attachments": valid });
    const bound = await lab.base.plugins.boundAddresses(network.name);
    expect(bound).toEqual([addressOf(result).replace("/24", "")]);
    await lab.succeed("CHECK", kept, { ...config, prevResult: result });
    await lab.succeed("DEL", stale, config);
    await lab.succeed("DEL", kept, config);
  });

  test("STATUS is code 50 when the master is missing, too small for the MTU, or IPAM is not ready", async () => {
    const network = lab.base.network();
    await lab.succeed("STATUS", undefined, lab.config(network, wire, newest));
    const missing = await lab.fail("STATUS", undefined, lab.config(network, { master: "no-such0" }, newest));
    expect(missing).toMatchObject({ code: 50, msg: expect.stringContaining("no-such0") });
    const tooLarge = lab.config(network, wire, { ...newest, mtu: 9000 });
    expect(await lab.fail("STATUS", undefined, tooLarge)).toMatchObject({ code: 50 });
    const socket = `${lab.base.lab.directory}/nobody.sock`;
    const ipam = { ...lab.base.plugins.ipam([network.subnet]), socket };
    const unserved = lab.config(network, wire, { ...newest, ipam });
    expect(await lab.fail("STATUS", undefined, unserved)).toMatchObject({ code: 50 });
  });
});

test("sixteen at once on one master: each has an address of its own, and all go again", async () => {
  const network = lab.base.network();
  const config = lab.config(network, wire);
  const containers: Container[] = [];
  for (let number = 0; number < 16; number += 1) containers.push(await lab.base.container());
  const results = await Promise.all(containers.map((container) => lab.add(container, config)));
  expect(new Set(results.map(addressOf)).size).toBe(containers.length);
  expect(new Set(results.map(({ interfaces }) => interfaces?.[0]?.mac)).size).toBe(containers.length);
  await Promise.all(containers.map((container) => lab.succeed("DEL", container, config)));
  expect(await lab.base.plugins.boundAddresses(network.name)).toEqual([]);
  for (const container of containers) expect(await lab.base.containerLinks(container)).toEqual([]);
});

test("the netns of CNI_NETNS_OVERRIDE is the plugin's own, and that is meant", async () => {
  const container = {
    containerId: "own-netns",
    netns: `/run/netns/${lab.base.lab.hostNetns}`,
    ifname: "ovr0",
  };
  const call = {
    container,
    config: lab.config(lab.base.network(), wire),
    env: { CNI_NETNS_OVERRIDE: "1" },
    type: MACVLAN,
  };
  expectSuccess(await lab.base.call({ ...call, verb: "ADD" }));
  expect(await lab.base.lab.hostLinks()).toContain("ovr0");
  expectSilence(await lab.base.call({ ...call, verb: "DEL" }));
  expect(await lab.base.lab.hostLinks()).not.toContain("ovr0");
});

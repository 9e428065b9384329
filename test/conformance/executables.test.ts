/** What each executable does by itself: versions, usage, and the plugins besides the bridge. */
import { CNI_VERSIONS } from "../../lib/cni/versions.ts";
import { command } from "../support/lab/lab-process.ts";
import {
  type Container,
  expectFailure,
  expectSilence,
  expectSuccess,
  PluginLab,
} from "../support/lab/plugin-lab.ts";

const EXECUTABLES = [
  "fairlead-bridge",
  "fairlead-ipam",
  "fairlead-loopback",
  "fairlead-macvlan",
  "fairlead-portmap",
  "fairlead-static",
] as const;

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("exec");
});
afterAll(() => lab?.close());

describe.each(EXECUTABLES)("%s", (type) => {
  test("VERSION works with empty stdin and no other variable", async () => {
    const answer = await lab.callRaw({ type, env: { CNI_COMMAND: "VERSION" }, stdin: "" });
    expect(answer).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(answer.stdout)).toEqual({ cniVersion: "1.1.0", supportedVersions: [...CNI_VERSIONS] });
  });

  test.each(["0.2.0", "1.0.0", "7.7.7"])("VERSION answers in %s when asked so", async (cniVersion) => {
    const env = { CNI_COMMAND: "VERSION", CNI_NETNS: "dummy", CNI_IFNAME: "dummy", CNI_PATH: "dummy" };
    const answer = await lab.callRaw({ type, env, stdin: JSON.stringify({ cniVersion }) });
    expect(JSON.parse(answer.stdout)).toMatchObject({ cniVersion });
  });

  test("without CNI_COMMAND it says on stderr what it is", async () => {
    const answer = await lab.callRaw({ type, env: {}, stdin: "" });
    expectSilence(answer);
    expect(answer.stderr).toContain(`CNI ${type} plugin `);
    for (const version of CNI_VERSIONS) expect(answer.stderr).toContain(version);
  });

  test("an unknown command is code 4", async () => {
    const answer = await lab.callRaw({ type, env: { CNI_COMMAND: "PING" }, stdin: "{}" });
    expect(expectFailure(answer)).toMatchObject({ code: 4 });
  });
});

describe("fairlead-ipam", () => {
  const type = "fairlead-ipam";

  test.each(CNI_VERSIONS)("at %s: addresses and routes, no interfaces", async (cniVersion) => {
    const network = lab.network();
    const container = await lab.container();
    const config = lab.bridge(network, { cniVersion });
    const added = await lab.call({ verb: "ADD", container, config, type });
    const result = JSON.parse(added.stdout) as Record<string, unknown>;
    const [bound] = await lab.plugins.boundAddresses(network.name);
    const gateway = network.subnet.replace("0/24", "1");
    const routes = [{ dst: "0.0.0.0/0" }];
    const version = cniVersion < "1.0.0" ? { version: "4" } : {};
    const dns = cniVersion < "1.0.0" ? { dns: {} } : {};
    expect(result).toEqual(
      cniVersion < "0.3.0"
        ? { cniVersion, ip4: { ip: `${bound}/24`, gateway, routes }, dns: {} }
        : { cniVersion, ips: [{ ...version, address: `${bound}/24`, gateway }], routes, ...dns },
    );
    expectSilence(await lab.call({ verb: "DEL", container, config, type }));
    expectSilence(await lab.call({ verb: "DEL", container, config, type }));
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  });

  test("CHECK knows whether the lease is there", async () => {
    const container = await lab.container();
    const config = lab.bridge(lab.network());
    const added = await lab.call({ verb: "ADD", container, config, type });
    const check = { ...config, prevResult: JSON.parse(added.stdout) as unknown };
    expectSilence(await lab.call({ verb: "CHECK", container, config: check, type }));
    await lab.call({ verb: "DEL", container, config, type });
    const gone = await lab.call({ verb: "CHECK", container, config: check, type });
    expect(expectFailure(gone)).toMatchObject({ code: 105 });
  });

  test("serves the reference bridge", async () => {
    const container = await lab.container();
    const network = lab.network();
    const config = lab.bridge(network, { type: "bridge" });
    const added = await lab.call({ verb: "ADD", container, config, type: "bridge" });
    expectSuccess(added);
    const bound = await lab.plugins.boundAddresses(network.name);
    expect(await lab.containerAddresses(container)).toEqual(bound.map((address) => `${address}/24`));
    expectSuccess(await lab.call({ verb: "DEL", container, config, type: "bridge" }));
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  });
});

describe("fairlead-loopback", () => {
  const type = "fairlead-loopback";
  const configAt = (cniVersion: string, keys = {}) => ({ cniVersion, name: "lo-net", type, ...keys });

  async function withLoopbackDown(): Promise<Container> {
    const container = { ...(await lab.container()), ifname: "lo" };
    await ip(container, "link", "set", "lo", "down");
    return container;
  }

  function ip({ netns }: Container, ...argv: readonly string[]): Promise<string> {
    return command(["ip", "-n", netns.slice("/run/netns/".length), ...argv]);
  }

  async function isUp(container: Container): Promise<boolean> {
    const [link] = await lab.inContainer<{ flags: readonly string[] }>(container, "link", "show", "lo");
    return link?.flags.includes("UP") ?? false;
  }

  test.each(CNI_VERSIONS)(
    "at %s: ADD sets lo up and tells its addresses, DEL sets it down",
    async (cniVersion) => {
      const container = await withLoopbackDown();
      const config = configAt(cniVersion);
      const added = await lab.call({ verb: "ADD", container, config, type });
      expect(added).toMatchObject({ status: 0, stderr: "" });
      expect(await isUp(container)).toBe(true);
      const result = JSON.parse(added.stdout) as Record<string, unknown>;
      if (cniVersion < "0.3.0") {
        expect(result).toMatchObject({ cniVersion, ip4: { ip: "127.0.0.1/8" }, ip6: { ip: "::1/128" } });
      } else {
        expect(result).toMatchObject({
          cniVersion,
          interfaces: [{ name: "lo", mac: "00:00:00:00:00:00", sandbox: container.netns }],
          ips: [
            { address: "127.0.0.1/8", interface: 0 },
            { address: "::1/128", interface: 0 },
          ],
        });
      }
      if (cniVersion >= "0.4.0") {
        const check = { ...config, prevResult: result };
        expectSuccess(await lab.call({ verb: "CHECK", container, config: check, type }));
        await ip(container, "link", "set", "lo", "down");
        const down = await lab.call({ verb: "CHECK", container, config: check, type });
        expect(expectFailure(down)).toMatchObject({ code: 105 });
      }
      for (const _ of ["once", "twice"]) {
        expectSilence(await lab.call({ verb: "DEL", container, config, type }));
        expect(await isUp(container)).toBe(false);
      }
    },
  );

  test("whatever CNI_IFNAME says, it is about lo", async () => {
    const container = { ...(await withLoopbackDown()), ifname: "eth7" };
    const config = configAt("1.0.0");
    expectSuccess(await lab.call({ verb: "ADD", container, config, type }));
    expect(await isUp(container)).toBe(true);
    expectSuccess(await lab.call({ verb: "DEL", container, config, type }));
  });

  test("a prevResult is passed on", async () => {
    const container = await withLoopbackDown();
    const prevResult = {
      cniVersion: "1.0.0",
      interfaces: [{ name: "eth0", mac: "02:00:00:00:00:01", sandbox: container.netns }],
      ips: [{ address: "10.1.2.3/24", gateway: "10.1.2.1", interface: 0 }],
      routes: [{ dst: "0.0.0.0/0" }],
      dns: { domain: "a.test" },
    };
    const added = await lab.call({ verb: "ADD", container, config: configAt("1.0.0", { prevResult }), type });
    expect(JSON.parse(added.stdout)).toEqual(prevResult);
    expect(await isUp(container)).toBe(true);
  });

  test("an address on lo that is no loopback address is an error", async () => {
    const container = await withLoopbackDown();
    await ip(container, "addr", "add", "10.1.2.3/32", "dev", "lo");
    const error = expectFailure(await lab.call({ verb: "ADD", container, config: configAt("1.0.0"), type }));
    expect(error.msg).toContain("10.1.2.3");
  });

  test.each(["", "/run/netns/no-such"])("DEL with the netns %j", async (netns) => {
    const container = { containerId: "gone", netns, ifname: "lo" };
    const answer = await lab.call({ verb: "DEL", container, config: configAt("1.0.0"), type });
    expectSilence(answer);
  });

  test("STATUS and GC have nothing to say", async () => {
    const config = configAt("1.1.0", { "cni.dev/valid-attachments": [] });
    expectSilence(await lab.call({ verb: "STATUS", config, type }));
    expectSilence(await lab.call({ verb: "GC", config, type }));
  });
});

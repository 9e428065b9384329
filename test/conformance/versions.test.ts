/** Every verb at every version, over the life of one attachment. */
import { CNI_VERSIONS, type CniVersion } from "../../lib/cni/versions.ts";
import {
  type AnyResult,
  type Container,
  expectFailure,
  expectSilence,
  PluginLab,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("ver");
});
afterAll(() => lab?.close());

const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;
const isOld = (version: CniVersion) => version < "0.3.0";

/** The first address out of a subnet like 10.90.1.0/24, with its length. */
const anAddressOf = (network: TestNetwork) =>
  expect.stringMatching(
    new RegExp(`^${network.subnet.replace(/0\/24$/, "").replaceAll(".", "\\.")}\\d+/24$`),
  );
const gatewayOf = (network: TestNetwork) => network.subnet.replace("0/24", "1");

function addressOf(result: AnyResult): string {
  return result.ip4?.ip ?? result.ips?.[0]?.address ?? "";
}

function expectShape(
  result: AnyResult,
  version: CniVersion,
  { network, container }: { network: TestNetwork; container: Container },
): void {
  const address = anAddressOf(network);
  const gateway = gatewayOf(network);
  const routes = [{ dst: "0.0.0.0/0" }];
  if (isOld(version)) {
    expect(result).toEqual({ cniVersion: version, ip4: { ip: address, gateway, routes }, dns: {} });
    return;
  }
  const mac = expect.stringMatching(MAC);
  const listed = version < "1.0.0";
  const mtu = listed ? {} : { mtu: 1500 };
  expect(result).toEqual({
    cniVersion: version,
    interfaces: [
      { name: network.bridge, mac, ...mtu },
      { name: expect.any(String), mac, ...mtu },
      { name: container.ifname, mac, ...mtu, sandbox: container.netns },
    ],
    ips: [{ ...(listed && { version: "4" }), address, gateway, interface: 2 }],
    routes,
    ...(listed && { dns: {} }),
  });
}

describe.each(CNI_VERSIONS)("%s", (cniVersion) => {
  let network: TestNetwork;
  let container: Container;
  let config: Readonly<Record<string, unknown>>;
  let result: AnyResult;

  beforeAll(async () => {
    network = lab.network();
    container = await lab.container();
    config = lab.bridge(network, { cniVersion });
  });

  const withResult = () => ({ ...config, prevResult: result });

  test("ADD answers in the shape of the version", async () => {
    result = await lab.add(container, config);
    expectShape(result, cniVersion, { network, container });
  });

  test("the kernel has what the result says", async () => {
    expect(await lab.containerAddresses(container)).toEqual([addressOf(result)]);
    expect(await lab.hostAddresses(network.bridge)).toEqual([`${gatewayOf(network)}/24`]);
    const routes = await lab.inContainer<{ gateway: string }>(container, "route", "show", "default");
    expect(routes).toMatchObject([{ gateway: gatewayOf(network), dev: "eth0" }]);
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([addressOf(result).replace("/24", "")]);
    if (isOld(cniVersion)) return;
    const [bridge, hostEnd, link] = result.interfaces ?? [];
    expect(await lab.mac(container)).toBe(link?.mac);
    const hostLinks = await lab.onHost<{ ifname: string; address: string; master?: string }>("link");
    expect(hostLinks).toContainEqual(expect.objectContaining({ ifname: bridge?.name, address: bridge?.mac }));
    expect(hostLinks).toContainEqual(
      expect.objectContaining({ ifname: hostEnd?.name, address: hostEnd?.mac, master: network.bridge }),
    );
  });

  test("a second ADD for the same attachment is an error and breaks nothing", async () => {
    await lab.fail("ADD", container, config);
    expect(await lab.containerAddresses(container)).toEqual([addressOf(result)]);
    expect(await lab.plugins.boundAddresses(network.name)).toHaveLength(1);
  });

  if (cniVersion >= "0.4.0") {
    test("CHECK finds all of it", () => lab.succeed("CHECK", container, withResult()));
  } else {
    test("CHECK is not there yet", async () => {
      expect(await lab.fail("CHECK", container, withResult())).toMatchObject({
        cniVersion,
        code: 1,
        msg: expect.stringContaining("config version does not allow CHECK"),
      });
    });
  }

  test.each(["GC", "STATUS"])("%s is there from 1.1.0 on", async (verb) => {
    const valid = [{ containerID: container.containerId, ifname: container.ifname }];
    const answer = await lab.call({ verb, config: { ...config, "cni.dev/valid-attachments": valid } });
    if (cniVersion === "1.1.0") expectSilence(answer);
    else expect(expectFailure(answer)).toMatchObject({ cniVersion, code: 1 });
    expect(await lab.containerLinks(container)).toEqual(["eth0"]);
  });

  test("VERSION answers in the version that is asked for", async () => {
    const answer = await lab.call({ verb: "VERSION", config: { cniVersion } });
    expect(JSON.parse(answer.stdout)).toEqual({ cniVersion, supportedVersions: CNI_VERSIONS });
  });

  test("DEL takes it all away, says nothing, and may be repeated", async () => {
    const del = cniVersion >= "0.4.0" ? withResult() : config;
    await lab.succeed("DEL", container, del);
    expect(await lab.containerLinks(container)).toEqual([]);
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
    expect(await lab.onHost("link", "show", "master", network.bridge)).toEqual([]);
    await lab.succeed("DEL", container, del);
    await lab.succeed("DEL", container, config);
  });

  test("DEL of what never was is a success", async () => {
    const stranger = { ...container, containerId: "never-added" };
    await lab.succeed("DEL", stranger, config);
  });

  test("ADD again, as after any DEL", async () => {
    const again = await lab.add(container, config);
    expectShape(again, cniVersion, { network, container });
    await lab.succeed("DEL", container, config);
  });
});

test("without cniVersion the answer is in 0.1.0", async () => {
  const network = lab.network();
  const container = await lab.container();
  const { cniVersion: _, ...config } = lab.bridge(network);
  expectShape(await lab.add(container, config), "0.1.0", { network, container });
  await lab.succeed("DEL", container, config);
});

test.each(["0.3.2", "1.2.0", "2.0.0", "latest"])(
  "cniVersion %s is refused with code 1",
  async (cniVersion) => {
    const container = await lab.container();
    const error = await lab.fail("ADD", container, lab.bridge(lab.network(), { cniVersion }));
    expect(error).toMatchObject({ code: 1, msg: expect.stringContaining(cniVersion) });
    expect(await lab.containerLinks(container)).toEqual([]);
  },
);

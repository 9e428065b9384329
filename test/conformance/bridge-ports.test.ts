/** The key `publishPorts` of `fairlead-bridge`: every verb at every version, refusals, undo, and attachments of the old chain. */
import { CNI_VERSIONS } from "../../lib/cni/versions.ts";
import { netnsPath } from "../support/lab/lab.ts";
import { portmapOf } from "../support/lab/lab-plugins.ts";
import { type Configuration, type Container, expectSuccess, PluginLab } from "../support/lab/plugin-lab.ts";
import { startServer } from "../support/lab/port-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
let nextPort = 21_000;

beforeAll(async () => {
  lab = await PluginLab.open("brports");
});
afterAll(() => lab?.close());

function freshPort(): number {
  nextPort += 1;
  return nextPort;
}

type Network = ReturnType<PluginLab["network"]>;

/** A bridge that publishes TCP port 80 of its containers on these ports of the host. */
function config(
  network: Network,
  hostPorts: readonly (number | object)[],
  keys: Configuration = {},
): Configuration {
  const portMappings = hostPorts.map((one) =>
    typeof one === "number" ? { hostPort: one, containerPort: 80, protocol: "tcp" } : one,
  );
  return lab.bridge(network, {
    hairpinMode: true,
    publishPorts: true,
    ...(hostPorts.length > 0 && { runtimeConfig: { portMappings } }),
    ...keys,
  });
}

function rules(): Promise<string> {
  return lab.lab.host(["nft", "-s", "list", "ruleset"]);
}

/** An attachment that publishes a port, and an element's text that says so. */
async function published(keys: Configuration = {}) {
  const [network, container, hostPort] = [lab.network(), await lab.container(), freshPort()];
  const configuration = config(network, [hostPort], keys);
  const result = await lab.add(container, configuration);
  const element = `${hostPort} comment "${network.name}/${container.containerId}/eth0"`;
  return { network, container, hostPort, configuration, result, element };
}

/** The rules of the network come with its first container and stay; so does the firewall of published ports. */
async function networkInUse(): Promise<Network> {
  const { network } = await published();
  return network;
}

describe.each(CNI_VERSIONS)("%s", (cniVersion) => {
  test("ADD publishes, CHECK sees it, DEL takes it back with nothing but the key, twice", async () => {
    const { network, container, configuration, result, element } = await published({ cniVersion });
    expect(await rules()).toContain(element);
    const withResult = { ...configuration, prevResult: result };
    if (cniVersion < "0.4.0") await lab.fail("CHECK", container, withResult);
    else await lab.succeed("CHECK", container, withResult);
    const bare = config(network, [], { cniVersion });
    await lab.succeed("DEL", { ...container, netns: "" }, bare);
    expect(await rules()).not.toContain(container.containerId);
    const before = await rules();
    await lab.succeed("DEL", container, bare);
    await lab.succeed("DEL", container, withResult);
    expect(await rules()).toBe(before);
  });
});

test("without the key nothing is published; with it and without mappings neither", async () => {
  const [network, container, hostPort] = [lab.network(), await lab.container(), freshPort()];
  for (const configuration of [config(network, [hostPort], { publishPorts: false }), config(network, [])]) {
    await lab.add(container, configuration);
    expect(await rules()).not.toContain(`/${container.containerId}/`);
    await lab.succeed("DEL", container, configuration);
  }
});

test("both families are published where the container has both, and hostBinding leaves one", async () => {
  const [network, container, other] = [lab.network(), await lab.container(), await lab.container()];
  const ipam = lab.plugins.ipam([network.subnet, network.subnet6]);
  const [dual, bound] = [freshPort(), freshPort()];
  await lab.add(container, config(network, [dual], { ipam }));
  const listing = await rules();
  expect(listing.match(new RegExp(`tcp . ${dual} comment`, "g"))).toHaveLength(2);
  expect(listing).toContain(`"${network.bridge}"`);
  await lab.add(other, config(network, [bound], { ipam, hostBinding: "127.0.0.1", snat: false }));
  expect((await rules()).match(new RegExp(`tcp . 127.0.0.1 . ${bound} comment`, "g"))).toHaveLength(1);
  for (const one of [container, other]) await lab.succeed("DEL", one, config(network, []));
});

describe("an ADD that fails leaves nothing, of the interface and the address neither", () => {
  async function expectNothingLeft(network: Network, container: Container, configuration: Configuration) {
    const before = await lab.traces(container, network);
    const failure = await lab.fail("ADD", container, configuration);
    expect(await lab.traces(container, network)).toEqual(before);
    return failure;
  }

  test("a port that another container has: names the holder", async () => {
    const { network, container, hostPort } = await published();
    const failure = await expectNothingLeft(network, await lab.container(), config(network, [hostPort]));
    expect(failure).toMatchObject({
      code: 104,
      msg: expect.stringContaining(`container ${container.containerId} `),
    });
  });

  test("one of several: none is published", async () => {
    const { network, hostPort } = await published();
    const late = await lab.container();
    await expectNothingLeft(network, late, config(network, [freshPort(), hostPort, freshPort()]));
  });

  test("a port on which a program listens: names the program", async () => {
    const [network, hostPort] = [await networkInUse(), freshPort()];
    await startServer(lab.lab, netnsPath(lab.lab.hostNetns), { name: "squatter", ports: [hostPort] });
    const failure = await expectNothingLeft(network, await lab.container(), config(network, [hostPort]));
    expect(failure).toMatchObject({ code: 104, msg: expect.stringMatching(/\(process \d+\) listens on/) });
  });

  test.each([
    ["a protocol without ports", { protocol: "icmp" }, {}, 2, "portMappings[0].protocol"],
    ["a port that is none", { hostPort: 70_000 }, {}, 7, "portMappings[0].hostPort"],
    ["an address that is none", { hostIP: "eth0" }, {}, 7, "portMappings[0].hostIP"],
    ["a family that the container has not", { hostIP: "::" }, {}, 7, "would lead nowhere"],
    ["a layer 2 network", {}, { ipam: {}, isGateway: false, ipMasq: false }, 7, "would lead nowhere"],
    ["a binding that is no address", {}, { hostBinding: "eth0" }, 7, "hostBinding"],
  ])("%s", async (...[_what, mapping, keys, code, text]) => {
    const network = await networkInUse();
    const one = { hostPort: freshPort(), containerPort: 80, ...mapping };
    const cniVersion = "1.1.0";
    const configuration = config(network, [one], { cniVersion, ...keys });
    const failure = await expectNothingLeft(network, await lab.container(), configuration);
    expect(failure).toMatchObject({ code, msg: expect.stringContaining(text) });
  });
});

test("DEL does not care what ports are asked for", async () => {
  const { network, container } = await published();
  for (const mapping of [
    { hostPort: 70_000, containerPort: 0 },
    { hostPort: 1, protocol: "icmp" },
  ])
    await lab.succeed("DEL", container, config(network, [mapping]));
  expect(await rules()).not.toContain(container.containerId);
});

test("CHECK fails when a port no longer leads to the container, or the loopback is no longer routed", async () => {
  const { network, container, hostPort, configuration, result } = await published();
  const withResult = { ...configuration, prevResult: result };
  const setting = `net.ipv4.conf.${network.bridge}.route_localnet`;
  await lab.lab.host(["sysctl", "-qw", `${setting}=0`]);
  expect(await lab.fail("CHECK", container, withResult)).toMatchObject({
    code: 105,
    msg: expect.stringContaining(setting),
  });
  await lab.lab.host(["sysctl", "-qw", `${setting}=1`]);
  await lab.succeed("CHECK", container, withResult);
  await lab.lab.host(["nft", "delete", "element", "inet", "fairlead", "portmap4", `{ tcp . ${hostPort} }`]);
  expect(await lab.fail("CHECK", container, withResult)).toMatchObject({
    code: 105,
    msg: expect.stringContaining(`${hostPort}`),
  });
  await lab.succeed("DEL", container, configuration);
  expect(await rules()).not.toContain(container.containerId);
});

test("DEL unpublishes when the link is gone already, and frees the port", async () => {
  const { network, container, hostPort, configuration, element } = await published();
  await lab.lab.host(["ip", "link", "del", network.bridge]);
  await lab.lab.host(["ip", "-n", container.netns.slice("/run/netns/".length), "link", "del", "eth0"]);
  expect(await rules()).toContain(element);
  await lab.succeed("DEL", { ...container, netns: "" }, configuration);
  const next = await lab.container();
  await lab.add(next, config(network, [hostPort]));
  await lab.succeed("DEL", next, config(network, []));
});

test("DEL takes back what fairlead-portmap published behind the bridge, and the other way round", async () => {
  const [network, container, hostPort] = [lab.network(), await lab.container(), freshPort()];
  const old = lab.bridge(network, { hairpinMode: true });
  const chained = { ...portmapOf(lab.plugins), cniVersion: "1.0.0", name: network.name };
  const runtimeConfig = { portMappings: [{ hostPort, containerPort: 80, protocol: "tcp" }] };
  const result = await lab.add(container, old);
  const type = "fairlead-portmap";
  const portmap = (verb: string) =>
    lab.call({ verb, type, container, config: { ...chained, runtimeConfig, prevResult: result } });
  expectSuccess(await portmap("ADD"));
  const chainedRules = await rules();
  expect(chainedRules).toContain(`/${container.containerId}/`);
  // The conflist was rewritten meanwhile: CHECK, and DEL, see no difference.
  const written = config(network, [hostPort]);
  await lab.succeed("CHECK", container, { ...written, prevResult: result });
  await lab.succeed("DEL", container, { ...written, prevResult: result });
  expect(await rules()).not.toContain(container.containerId);
  const again = await lab.add(container, written);
  expect(await rules()).toBe(chainedRules.replaceAll(bare(result), bare(again)));
  expectSuccess(await portmap("DEL"));
  expect(await rules()).not.toContain(`/${container.containerId}/`);
  await lab.succeed("DEL", container, written);
});

function bare({ ips }: { readonly ips?: readonly { readonly address: string }[] }): string {
  return ips?.[0]?.address.replace(/\/.*/, "") ?? "";
}

test("GC keeps the ports of valid attachments of its network, and of all others", async () => {
  const keys = { cniVersion: "1.1.0" };
  const kept = await published(keys);
  const { network } = kept;
  const [stale, elsewhere] = [await lab.container(), await published(keys)];
  await lab.add(stale, config(network, [freshPort()], keys));
  const gc = (valid: readonly Container[]) => {
    const attachments = valid.map(({ containerId, ifname }) => ({ containerID: containerId, ifname }));
    return lab.succeed("GC", undefined, {
      ...config(network, [], keys),
      "cni.dev/valid-attachments": attachments,
    });
  };
  await gc([kept.container]);
  const listing = await rules();
  expect(listing).toContain(kept.element);
  expect(listing).toContain(elsewhere.element);
  expect(listing).not.toContain(stale.containerId);
  await gc([]);
  expect(await rules()).not.toContain(`"${network.name}/`);
  expect(await rules()).toContain(elsewhere.element);
});

test("STATUS says that it is ready, and refuses a configuration that no ADD could use", async () => {
  const keys = { cniVersion: "1.1.0" };
  const network = lab.network();
  await lab.succeed("STATUS", undefined, config(network, [], keys));
  const failure = await lab.fail("STATUS", undefined, config(network, [], { ...keys, hostBinding: "eth0" }));
  expect(failure).toMatchObject({ code: 7 });
});

test("50 containers that want one port at once: one gets it, and the others leave nothing", async () => {
  const [network, hostPort] = [await networkInUse(), freshPort()];
  const leases = await lab.plugins.boundAddresses(network.name);
  const all = await Promise.all(Array.from({ length: 50 }, () => lab.container()));
  const configuration = config(network, [hostPort]);
  const answers = await Promise.all(
    all.map((container) => lab.call({ verb: "ADD", container, config: configuration })),
  );
  expect(answers.filter(({ status }) => status === 0)).toHaveLength(1);
  for (const { status, stdout } of answers)
    if (status !== 0) expect(JSON.parse(stdout)).toMatchObject({ code: 104 });
  expect(await lab.plugins.boundAddresses(network.name)).toHaveLength(leases.length + 1);
  for (const container of all) await lab.succeed("DEL", container, configuration);
  expect(await lab.plugins.boundAddresses(network.name)).toEqual(leases);
  expect(await rules()).not.toContain(` ${hostPort} `);
});

/**
 * DEL and GC after the configuration was changed: they work from the attachment's key, and what somebody has written since
 * keeps nothing from going.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { FAIRLEAD_DIRECTORY, REFERENCE_DIRECTORY } from "../support/lab/lab-plugins.ts";
import { MACVLAN, MacvlanLab } from "../support/lab/macvlan-lab.ts";
import {
  type AnyResult,
  type Configuration,
  type Container,
  expectFailure,
  expectSilence,
  expectSuccess,
  PluginLab,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

const VALID = "cni.dev/valid-attachments";

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("changed");
});
afterAll(() => lab?.close());

interface Attached {
  readonly network: TestNetwork;
  readonly container: Container;
  readonly config: Configuration;
  readonly result: AnyResult;
}

async function attached(keys: Configuration = {}): Promise<Attached> {
  const network = lab.network();
  const container = await lab.container();
  const config = lab.bridge(network, { cniVersion: "1.1.0", ...keys });
  return { network, container, config, result: await lab.add(container, config) };
}

let nextPort = 23_000;
/** Publishes a port, and has source addresses checked. */
function withRules() {
  nextPort += 1;
  const portMappings = [{ hostPort: nextPort, containerPort: 80, protocol: "tcp" }];
  return { publishPorts: true, macspoofchk: true, runtimeConfig: { portMappings } };
}

const NO_RULES = { publishPorts: false, macspoofchk: false, runtimeConfig: {} };

const ruleset = () => lab.lab.host(["nft", "-s", "list", "ruleset"]);

async function expectGone({ network, container }: Attached): Promise<void> {
  expect(await lab.containerLinks(container)).toEqual([]);
  expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  expect(await ruleset()).not.toContain(container.containerId);
}

const WRONG_KEYS: readonly (readonly [string, Configuration])[] = [
  ["a value out of range", { mtu: 700_000 }],
  ["keys that exclude each other", { hairpinMode: true, promiscMode: true }],
  ["a bridge that cannot be", { bridge: "a-name-that-is-too-long" }],
  ["another bridge", { bridge: "other0" }],
  ["metadata of the wrong shape", { args: { cni: { labels: 5 } } }],
  ["a runtimeConfig of the wrong shape", { runtimeConfig: { ips: 7 } }],
];

describe("DEL", () => {
  test.each(WRONG_KEYS)("with %s takes everything away", async (_, keys) => {
    const made = await attached(withRules());
    await lab.succeed("DEL", made.container, { ...made.config, ...keys });
    await expectGone(made);
  });

  test.each([
    ["no ipam", undefined],
    ["an ipam that is no object", "fairlead-ipam"],
  ])("with %s asks the service at its usual place", async (_, ipam) => {
    const made = await attached(withRules());
    // The lab's is elsewhere, so this is done with it, and the address is left for the second DEL.
    const wrapper = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /var/lib && exec "$@"', "sh"];
    const call = { verb: "DEL", container: made.container, wrapper };
    expectSilence(await lab.call({ ...call, config: { ...made.config, ipam } }));
    expect(await lab.containerLinks(made.container)).toEqual([]);
    expect(await ruleset()).not.toContain(made.container.containerId);
    await lab.succeed("DEL", made.container, made.config);
    await expectGone(made);
  });

  test.each([
    ["a route without a destination", { routes: [{}] }],
    ["a range without a subnet", { ranges: [[{}]] }],
    ["no ranges any more", { ranges: undefined }],
    ["no type any more", { type: undefined }],
    ["a type that is a path", { type: "../host-local" }],
    ["fairlead-static as its type", { type: "fairlead-static" }],
    ["host-local as its type", { type: "host-local" }],
    ["a type that is not installed", { type: "no-such-ipam" }],
  ])("with %s in ipam takes everything away, and may be repeated", async (_, keys) => {
    const made = await attached();
    const dataDir = lab.lab.folder("host-local");
    const ipam = { ...(made.config["ipam"] as object), dataDir, ...keys };
    for (let round = 0; round < 2; round += 1) {
      await lab.succeed("DEL", made.container, { ...made.config, ipam });
      await expectGone(made);
    }
  });

  test("without publishPorts and macspoofchk takes both back", async () => {
    const made = await attached(withRules());
    expect(await ruleset()).toContain(made.container.containerId);
    await lab.succeed("DEL", made.container, { ...made.config, ...NO_RULES });
    await expectGone(made);
  });

  test("with arguments that nobody understands", async () => {
    const made = await attached();
    await lab.succeed("DEL", { ...made.container, args: "WHAT=ever;broken" }, made.config);
    await expectGone(made);
  });

  test("with a delegate for IPAM that never was and addresses that were its own fails, and says so", async () => {
    const container = await lab.container();
    const config = lab.bridge(lab.network(), { ipam: { type: "no-such-ipam" } });
    const error = await lab.fail("DEL", container, config);
    expect(error).toMatchObject({ code: 111, msg: expect.stringContaining("no-such-ipam") });
  });

  test("keeps the release for later when the service is away and the type was changed", async () => {
    const made = await attached();
    const stateDir = lab.lab.folder("kept-for-later");
    const socket = join(stateDir, "nobody.sock");
    const ipam = { type: "host-local", socket, stateDir, dataDir: lab.lab.folder("host-local") };
    const ranges = [[{ subnet: made.network.subnet }]];
    const changed = { ...made.config, cniVersion: "1.0.0", ipam: { ...ipam, ranges } };
    await lab.succeed("DEL", made.container, changed);
    expect(readdirSync(join(stateDir, "release-intents"))).toHaveLength(1);
    await lab.succeed("DEL", made.container, made.config);
    await expectGone(made);
  });

  test("of a network without the service leaves no intent where no service ever was", async () => {
    const network = lab.network();
    const container = await lab.container();
    const stateDir = join(lab.lab.directory, "never-was");
    const places = { stateDir, socket: join(stateDir, "nobody.sock"), dataDir: lab.lab.folder("host-local") };
    const ipam = { type: "host-local", ...places, ranges: [[{ subnet: network.subnet }]] };
    const config = lab.bridge(network, { ipam });
    await lab.add(container, config);
    await lab.succeed("DEL", container, config);
    expect(readdirSync(lab.lab.directory)).not.toContain("never-was");
    expect(await lab.containerLinks(container)).toEqual([]);
  });
});

describe("GC", () => {
  test("without publishPorts and macspoofchk, on another bridge, takes back all of the stale one", async () => {
    const stale = await attached(withRules());
    const kept = await lab.container();
    const keptRules = withRules();
    const keptConfig = { ...stale.config, ...keptRules };
    const keptResult = await lab.add(kept, keptConfig);
    const list = [{ containerID: kept.containerId, ifname: kept.ifname }];
    const changed = { ...stale.config, ...NO_RULES, bridge: "other0", mtu: "broken", [VALID]: list };
    await lab.succeed("GC", undefined, changed);
    expect(await lab.containerLinks(stale.container)).toEqual([]);
    expect(await ruleset()).not.toContain(stale.container.containerId);
    await lab.succeed("CHECK", kept, { ...keptConfig, prevResult: keptResult });
    await lab.succeed("GC", undefined, { ...stale.config, [VALID]: [] });
    await expectGone({ ...stale, container: kept });
  });

  test("takes back a source check whose link went by itself", async () => {
    const made = await attached(withRules());
    await lab.lab.host(["ip", "link", "del", made.result.interfaces?.[1]?.name ?? ""]);
    expect(await ruleset()).toContain(made.container.containerId);
    await lab.succeed("GC", undefined, { ...made.config, ...NO_RULES, [VALID]: [] });
    await expectGone(made);
  });

  test("with another type of IPAM releases what it took the links of, and nothing else of that name", async () => {
    const made = await attached();
    const elsewhere = { ...(await lab.container()), ifname: "eth7" };
    const ipamOnly = { type: "fairlead-ipam", container: elsewhere, config: made.config };
    expectSuccess(await lab.call({ ...ipamOnly, verb: "ADD" }));
    const ipam = { ...(made.config["ipam"] as object), type: "fairlead-static", addresses: [] };
    await lab.succeed("GC", undefined, { ...made.config, ipam, [VALID]: [] });
    expect(await lab.plugins.boundAddresses(made.network.name)).toHaveLength(1);
    expectSilence(await lab.call({ ...ipamOnly, verb: "DEL" }));
    await expectGone(made);
  });
});

describe("fairlead-ipam behind the reference bridge", () => {
  test("DEL with a broken ipam section releases", async () => {
    const network = lab.network();
    const container = await lab.container();
    const config = lab.bridge(network, { type: "bridge" });
    const env = { CNI_PATH: `${FAIRLEAD_DIRECTORY}:${REFERENCE_DIRECTORY}` };
    expectSuccess(await lab.call({ verb: "ADD", type: "bridge", container, config, env }));
    const ipam = { ...(config["ipam"] as object), routes: [{}], coolingSeconds: "long" };
    const changed = { ...config, ipam };
    expectSilence(await lab.call({ verb: "DEL", type: "bridge", container, config: changed, env }));
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  });
});

describe("fairlead-macvlan", () => {
  let macvlan: MacvlanLab;
  beforeAll(async () => {
    macvlan = await MacvlanLab.open("changedmv");
  });
  afterAll(() => macvlan?.close());

  test.each([
    ["a master that cannot be", { master: "a-name-that-is-too-long" }],
    ["an unknown mode", { mode: "sideways" }],
    ["another master", { master: "eth0" }],
  ])("DEL with %s takes everything away", async (_, keys) => {
    const { base } = macvlan;
    const network = base.network();
    const container = await base.container();
    const config = macvlan.config(network, await macvlan.wire());
    await macvlan.add(container, config);
    await macvlan.succeed("DEL", container, { ...config, ...keys });
    expect(await base.containerLinks(container)).toEqual([]);
    expect(await base.plugins.boundAddresses(network.name)).toEqual([]);
  });

  test("DEL leaves an interface that carries no name while the master cannot be told", async () => {
    const { base } = macvlan;
    const container = await base.container();
    const netns = container.netns.slice("/run/netns/".length);
    // On the link of the default route, which is the master where none is named.
    await base.lab.host(["ip", "link", "add", "eth0", "link", "eth0", "netns", netns, "type", "macvlan"]);
    const config = { ...macvlan.config(base.network(), { master: "eth0" }), master: 5, ipam: undefined };
    expectSilence(await base.call({ verb: "DEL", container, config, type: MACVLAN }));
    expect(await base.containerLinks(container)).toEqual(["eth0"]);
  });
});

test("ADD still refuses what DEL passes over", async () => {
  const container = await lab.container();
  const config = lab.bridge(lab.network(), { mtu: 700_000 });
  expectFailure(await lab.call({ verb: "ADD", container, config }));
});

/** GC removes what is stale and nothing else; STATUS tells whether ADD would work. */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { portmapOf } from "../support/lab/lab-plugins.ts";
import {
  type Configuration,
  type Container,
  expectSilence,
  expectSuccess,
  PluginLab,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

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

const ruleset = () => lab.lab.host(["nft", "-s", "list", "ruleset"]);
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

  test("an empty list removes everything, the network's bridge and rules too", async () => {
    const { network, kept, stale } = await attachTwo();
    expect(await ruleset()).toContain(network.name);
    const marks = await lab.lab.hostLinks();
    await lab.succeed("GC", undefined, configOf(network, { [NEW_KEY]: [] }));
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
    expect(marks).toContain(network.bridge);
    expect(await lab.lab.hostLinks()).not.toContain(network.bridge);
    expect(await ruleset()).not.toMatch(new RegExp(`${network.name}\\b|${network.bridge}\\b`));
    expect(await lab.containerLinks(kept)).toEqual([]);
    expect(await lab.containerLinks(stale)).toEqual([]);
    // Nobody is kept from the bridge by what GC locked.
    await lab.add(kept, configOf(network));
    await lab.succeed("DEL", kept, configOf(network));
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

describe("GC of a network that serves several runtimes", () => {
  type Record = Readonly<{ [key: string]: unknown }>;

  /** libcni's record of the attachment, as the manager of `container` leaves it. */
  const recordOf = (network: TestNetwork, { containerId, ifname, netns }: Container): Record => ({
    kind: "cniCacheV1",
    networkName: network.name,
    containerId,
    ifName: ifname,
    netns,
  });

  /** Runs a plugin on a machine whose records are these. */
  function withRecords(records: readonly Record[]): string[] {
    folders += 1;
    const folder = lab.lab.folder(`records-${folders}`, "results");
    for (const [index, record] of records.entries()) {
      writeFileSync(join(folder, `${record["networkName"]}-${index}`), JSON.stringify(record));
    }
    const script = `mkdir -p /var/lib/cni && mount --bind ${dirname(folder)} /var/lib/cni && exec "$@"`;
    return ["unshare", "-m", "sh", "-c", script, "sh"];
  }

  /** GC with an empty list. Returns the log. */
  async function collect(config: Configuration, records: readonly Record[], type?: string): Promise<string> {
    const call = { verb: "GC", config: { ...config, [NEW_KEY]: [] }, wrapper: withRecords(records) };
    const answer = await lab.call({ ...call, ...(type !== undefined && { type }) });
    expectSilence(answer);
    return answer.stderr;
  }
  let folders = 0;

  test("leaves whom another manager has a record of, and removes the others, and says why", async () => {
    const { network, kept, stale, keptResult } = await attachTwo();
    const log = await collect(configOf(network), [recordOf(network, kept)]);
    await lab.succeed("CHECK", kept, configOf(network, { prevResult: keptResult }));
    expect(await hostEnds(network)).toEqual([keptResult.interfaces?.[1]?.name]);
    expect(await lab.containerLinks(stale)).toEqual([]);
    expect(log).toMatch(new RegExp(`keeping ${kept.containerId} .*/var/lib/cni/results/.*disableGC`));
    expect(log).toMatch(new RegExp(`removing .*${stale.containerId}.* nobody has a record`));
    await lab.succeed("DEL", kept, configOf(network));
  });

  test("goes by the namespace in the result where the record names none", async () => {
    const { network, kept, keptResult } = await attachTwo();
    const { netns: _, ...record } = recordOf(network, kept);
    await collect(configOf(network), [{ ...record, result: keptResult }]);
    await lab.succeed("CHECK", kept, configOf(network, { prevResult: keptResult }));
    await lab.succeed("DEL", kept, configOf(network));
  });

  test.each<[string, (record: Record) => Record]>([
    ["of a container whose namespace is gone", (record) => ({ ...record, netns: "/run/netns/no-such" })],
    ["of another network", (record) => ({ ...record, networkName: `${record["networkName"]}-2` })],
    ["of another interface", (record) => ({ ...record, ifName: "eth1" })],
    ["that nobody can read", () => ({ networkName: "conf" })],
  ])("a record %s spares nobody", async (_, change) => {
    const { network, kept } = await attachTwo();
    await collect(configOf(network), [change(recordOf(network, kept))]);
    expect(await lab.containerLinks(kept)).toEqual([]);
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([]);
  });

  test("published ports and addresses that other plugins look after are spared, too", async () => {
    const { network, kept, keptResult } = await attachTwo();
    const ports = portmapOf(lab.plugins);
    const portMappings = [{ hostPort: 24_001, containerPort: 80, protocol: "tcp" }];
    const keys = { cniVersion: "1.1.0", name: network.name, ...ports, runtimeConfig: { portMappings } };
    const config = { ...keys, prevResult: keptResult };
    expectSuccess(await lab.call({ verb: "ADD", container: kept, config, type: ports.type }));
    const records = [recordOf(network, kept)];
    await collect(keys, records, ports.type);
    await collect(configOf(network), records, "fairlead-ipam");
    expect(await ruleset()).toContain(kept.containerId);
    expect(await lab.plugins.boundAddresses(network.name)).toEqual([bare(keptResult.ips?.[0]?.address)]);
    await lab.succeed("GC", undefined, configOf(network, { [NEW_KEY]: [] }));
    expect(await ruleset()).not.toContain(kept.containerId);
  });

  test("a delegate for IPAM hears of whom to spare", async () => {
    const folder = lab.scriptedPlugin("listening-ipam", ['cat > "$DIR/heard"']);
    const env = { CNI_PATH: folder };
    const network = lab.network();
    const container = await lab.container();
    const list = [{ containerID: container.containerId, ifname: container.ifname }];
    const wrapper = withRecords([recordOf(network, container)]);
    const config = configOf(network, { ipam: { type: "listening-ipam" }, [OLD_KEY]: [] });
    expectSilence(await lab.call({ verb: "GC", config, env, wrapper }));
    const heard = JSON.parse(readFileSync(join(folder, "heard"), "utf8"));
    expect(heard).toMatchObject({ name: network.name, [NEW_KEY]: list, [OLD_KEY]: list });
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

  test.each([
    ["dns", { nameservers: "192.0.2.1" }],
    ["gatewayPriority", "high"],
  ])("refuses a %s that an ADD refuses", async (key, value) => {
    const error = await lab.fail("STATUS", undefined, configOf(lab.network(), { [key]: value }));
    expect(error).toMatchObject({ code: 7, msg: expect.stringContaining(key) });
  });

  test("fails when the delegate is missing", async () => {
    const error = await lab.fail("STATUS", undefined, configOf(lab.network(), { ipam: { type: "no-such" } }));
    expect(error).toMatchObject({ msg: expect.stringContaining("no-such") });
  });
});

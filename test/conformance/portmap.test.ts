/**
 * `fairlead-portmap` by itself: every verb at every version, bad input, taken ports, many at once, GC, STATUS.
 *
 * What it is chained behind is played by a `prevResult`; the container's link by a veth pair on the lab's host.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { CNI_VERSIONS } from "../../lib/cni/versions.ts";
import { netnsPath } from "../support/lab/lab.ts";
import { portmapOf } from "../support/lab/lab-plugins.ts";
import { command } from "../support/lab/lab-process.ts";
import {
  type Answer,
  type Configuration,
  type Container,
  expectFailure,
  expectSilence,
  expectSuccess,
  PluginLab,
} from "../support/lab/plugin-lab.ts";
import { startServer } from "../support/lab/port-lab.ts";

jest.setTimeout(120_000);

const TYPE = "fairlead-portmap";
const NETWORK = "ports";
const ADDRESS = "10.77.0.2";

let lab: PluginLab;
let container: Container;
let nextPort = 20_000;

beforeAll(async () => {
  lab = await PluginLab.open("ports");
  container = await lab.container();
  const namespace = container.netns.slice("/run/netns/".length);
  await lab.lab.host([
    "ip",
    "link",
    "add",
    "flports",
    "type",
    "veth",
    "peer",
    "name",
    "eth0",
    "netns",
    namespace,
  ]);
  await lab.lab.host(["ip", "addr", "add", "10.77.0.1/24", "dev", "flports"]);
  await lab.lab.host(["ip", "addr", "add", "fd00:77::1/64", "dev", "flports", "nodad"]);
  await lab.lab.host(["ip", "link", "set", "flports", "up"]);
});
afterAll(() => lab?.close());

type Mapping = Readonly<Record<string, unknown>>;

/** A port of the host that no other test has. */
function freshPort(): number {
  nextPort += 10;
  return nextPort;
}

function resultOf(
  cniVersion: string,
  addresses = [`${ADDRESS}/24`, "fd00:77::2/64"],
): Record<string, unknown> {
  if (cniVersion < "0.3.0") return { cniVersion, ip4: { ip: addresses[0] }, dns: {} };
  return {
    cniVersion,
    interfaces: [{ name: "flports" }, { name: "eth0", mac: "02:00:00:00:00:01", sandbox: container.netns }],
    ips: addresses.map((address) => ({
      ...(cniVersion < "1.0.0" && { version: address.includes(":") ? "6" : "4" }),
      address,
      interface: 1,
    })),
    routes: [{ dst: "0.0.0.0/0" }],
    ...(cniVersion < "1.0.0" && { dns: {} }),
  };
}

function config(portMappings: readonly Mapping[], keys: Configuration = {}): Configuration {
  const cniVersion = String(keys["cniVersion"] ?? "1.0.0");
  const runtimeConfig = portMappings.length > 0 ? { runtimeConfig: { portMappings } } : {};
  return {
    cniVersion,
    name: NETWORK,
    ...portmapOf(lab.plugins),
    prevResult: resultOf(cniVersion),
    ...runtimeConfig,
    ...keys,
  };
}

function call(verb: string, one: Container | undefined, configuration: Configuration): Promise<Answer> {
  return lab.call({ verb, type: TYPE, config: configuration, ...(one && { container: one }) });
}

/** Another container, as far as this plugin can tell. */
function other(containerId: string): Container {
  return { ...container, containerId };
}

function rules(): Promise<string> {
  return lab.lab.host(["nft", "-s", "list", "ruleset"]);
}

describe.each(CNI_VERSIONS)("%s", (cniVersion) => {
  const one = () => other(`version-${cniVersion}`);
  const hostPort = freshPort();
  const configuration = () => config([{ hostPort, containerPort: 80, protocol: "tcp" }], { cniVersion });
  const element = `tcp . ${hostPort} comment "ports/version-${cniVersion}/eth0" : ${ADDRESS} . 80`;

  test("ADD publishes and passes prevResult on as it is", async () => {
    const answer = await call("ADD", one(), configuration());
    expectSuccess(answer);
    expect(JSON.parse(answer.stdout)).toEqual(resultOf(cniVersion));
    expect(await rules()).toContain(element);
  });

  test("ADD again is no error, and changes nothing", async () => {
    const before = await rules();
    expectSuccess(await call("ADD", one(), configuration()));
    expect(await rules()).toBe(before);
  });

  test("CHECK is as the version allows", async () => {
    const answer = await call("CHECK", one(), configuration());
    if (cniVersion < "0.4.0") expect(expectFailure(answer)).toMatchObject({ code: 1 });
    else expectSilence(answer);
  });

  test("DEL takes it back, twice, with nothing but the key", async () => {
    const bare = { cniVersion, name: NETWORK, ...portmapOf(lab.plugins) };
    expectSilence(await call("DEL", { ...one(), netns: "" }, bare));
    expect(await rules()).not.toContain(`version-${cniVersion}`);
    const before = await rules();
    expectSilence(await call("DEL", { ...one(), netns: "" }, bare));
    expectSilence(await call("DEL", one(), configuration()));
    expect(await rules()).toBe(before);
  });
});

describe("without anything to publish", () => {
  test.each([
    ["no runtimeConfig", []],
    ["no host ports", [{ hostPort: 0, containerPort: 80, protocol: "tcp" }]],
  ])("%s: ADD passes prevResult on and touches nothing", async (_what, mappings) => {
    const before = await rules();
    const answer = await call("ADD", other("nothing"), config(mappings));
    expect(JSON.parse(answer.stdout)).toEqual(resultOf("1.0.0"));
    expect(await rules()).toBe(before);
    expectSilence(await call("CHECK", other("nothing"), config(mappings)));
  });
});

describe("bad input", () => {
  const mapping = { hostPort: 1, containerPort: 80, protocol: "tcp" };

  test.each([
    ["not chained", [mapping], { prevResult: undefined }, 7, "must be called as chained plugin"],
    [
      "conditions",
      [mapping],
      { conditionsV4: ["-d", "192.0.2.1"] },
      2,
      'conditionsV4: its value ["-d","192.0.2.1"]',
    ],
    ["a protocol", [{ ...mapping, protocol: "icmp" }], {}, 2, 'portMappings[0].protocol: it is "icmp"'],
    ["a host address", [{ ...mapping, hostIP: "eth0" }], {}, 7, 'hostIP: "eth0" is no IP address'],
    ["a binding", [mapping], { hostBinding: "eth0" }, 7, "hostBinding"],
    ["a port", [{ ...mapping, hostPort: 70_000 }], {}, 7, "portMappings[0].hostPort"],
  ])(
    "%s: refused with its code, and nothing is published",
    async (...[_what, mappings, keys, code, text]) => {
      const before = await rules();
      const failure = expectFailure(await call("ADD", other("bad"), config(mappings, keys)));
      expect(failure).toMatchObject({ code, msg: expect.stringContaining(text) });
      expect(await rules()).toBe(before);
    },
  );

  test("and DEL does not care", async () => {
    const broken = config([{ ...mapping, protocol: "icmp" }], { conditionsV4: ["x"], hostBinding: "?" });
    expectSilence(await call("DEL", other("bad"), broken));
  });
});

describe("keys of the network", () => {
  test("hostBinding is where mappings without an address go", async () => {
    const hostPort = freshPort();
    const keys = { hostBinding: "127.0.0.1" };
    expectSuccess(await call("ADD", other("bound"), config([{ hostPort, containerPort: 80 }], keys)));
    expect(await rules()).toContain(`tcp . 127.0.0.1 . ${hostPort} comment "ports/bound/eth0"`);
    expectSilence(await call("DEL", other("bound"), config([])));
  });

  test("masqAll hides every client, snat: false none", async () => {
    const hostPort = freshPort();
    const mappings = [{ hostPort, containerPort: 80 }];
    expectSuccess(await call("ADD", other("all"), config(mappings, { masqAll: true, snat: false })));
    expect(await rules()).toContain(`elements = { ${ADDRESS} comment "ports/all/eth0" }`);
    expect(await rules()).not.toContain(`${ADDRESS} . ${ADDRESS}`);
    expectSilence(await call("CHECK", other("all"), config(mappings, { masqAll: true, snat: false })));
    expectSilence(await call("DEL", other("all"), config([])));
    expect(await rules()).not.toContain("ports/all/eth0");
  });

  test("those of the reference that mean nothing here are accepted", async () => {
    const keys = { backend: "iptables", markMasqBit: 13, externalSetMarkChain: "X", conditionsV4: [] };
    const mappings = [{ hostPort: freshPort(), containerPort: 80 }];
    expectSuccess(await call("ADD", other("old"), config(mappings, keys)));
    expectSilence(await call("DEL", other("old"), config(mappings, keys)));
  });
});

test("CHECK fails when a port no longer leads to the container, or the loopback is no longer routed", async () => {
  const hostPort = freshPort();
  const configuration = config([{ hostPort, containerPort: 80 }]);
  expectSuccess(await call("ADD", other("checked"), configuration));
  const setting = "net.ipv4.conf.flports.route_localnet";
  await lab.lab.host(["sysctl", "-qw", `${setting}=0`]);
  const failure = expectFailure(await call("CHECK", other("checked"), configuration));
  expect(failure).toMatchObject({ code: 105, msg: expect.stringContaining(setting) });
  await lab.lab.host(["sysctl", "-qw", `${setting}=1`]);
  await lab.lab.host(["nft", "delete", "element", "inet", "fairlead", "portmap4", `{ tcp . ${hostPort} }`]);
  expect(expectFailure(await call("CHECK", other("checked"), configuration))).toMatchObject({ code: 105 });
  expectSilence(await call("DEL", other("checked"), configuration));
  expect(await rules()).not.toContain("ports/checked");
});

describe("a port that a program of the host has", () => {
  test.each(["tcp", "udp"])(
    "%s: is refused, naming the program, unless it is on another address",
    async (protocol) => {
      const hostPort = freshPort();
      await startServer(lab.lab, netnsPath(lab.lab.hostNetns), {
        name: `squatter-${protocol}`,
        ports: [hostPort],
      });
      const failure = expectFailure(
        await call("ADD", other("late"), config([{ hostPort, containerPort: 80, protocol }])),
      );
      expect(failure).toMatchObject({
        code: 104,
        msg: expect.stringMatching(
          new RegExp(
            `publish port ${protocol}/0\\.0\\.0\\.0:${hostPort}: node \\(process \\d+\\) listens on \\[::\\]:`,
          ),
        ),
      });
      expect(await rules()).not.toContain("ports/late");
    },
  );

  /** Holds a port of 127.0.0.1 open until its stdin ends. */
  function hold(hostPort: number, ...words: readonly string[]): Promise<ChildProcess> {
    const script = `
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", ${hostPort})); s.listen(); print("ready", flush=True); sys.stdin.read()`;
    const [file = "", ...args] = lab.lab.inHost("python3", "-c", script, ...words);
    const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    return new Promise((resolve) => child.stdout.once("data", () => resolve(child)));
  }

  test("a listener on one address is in the way of that and of every address, and of no other", async () => {
    const hostPort = freshPort();
    const holder = await hold(hostPort);
    const on = (hostIP: string) => config([{ hostPort, containerPort: 80, hostIP }]);
    for (const hostIP of ["", "127.0.0.1"]) {
      expect(expectFailure(await call("ADD", other("one"), on(hostIP)))).toMatchObject({ code: 104 });
    }
    expectSuccess(await call("ADD", other("one"), on("127.0.0.2")));
    expectSilence(await call("DEL", other("one"), on("")));
    holder.stdin?.end();
  });

  test("what a runtime holds on behalf of the container is not in the way", async () => {
    const hostPort = freshPort();
    const holder = await hold(hostPort, "--cid", "reserved-0123456789ab");
    const mappings = [{ hostPort, containerPort: 80 }];
    expectSuccess(await call("ADD", other("reserved-0123456789ab"), config(mappings)));
    expectSilence(await call("DEL", other("reserved-0123456789ab"), config(mappings)));
    holder.stdin?.end();
  });

  test("a client's own end of a connection is not in the way", async () => {
    const [server, hostPort] = [freshPort(), freshPort()];
    await startServer(lab.lab, netnsPath(lab.lab.hostNetns), { name: "peer", ports: [server] });
    const script = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", ${hostPort})); s.connect(("127.0.0.1", ${server}))
print("ready", flush=True); sys.stdin.read()`;
    const [file = "", ...args] = lab.lab.inHost("python3", "-c", script);
    const client = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    await new Promise((resolve) => client.stdout.once("data", resolve));
    const mappings = [{ hostPort, containerPort: 80, protocol: "udp" }];
    expectSuccess(await call("ADD", other("beside"), config(mappings)));
    expectSilence(await call("DEL", other("beside"), config(mappings)));
    client.stdin.end();
  });
});

describe("many at once", () => {
  test.each(["tcp", "udp"])(
    "50 containers that want one %s port: one gets it, all others hear who has it",
    async (protocol) => {
      const mappings = [{ hostPort: freshPort(), containerPort: 80, protocol }];
      const all = Array.from({ length: 50 }, (_, at) => other(`race-${protocol}-${at}`));
      const answers = await Promise.all(all.map((one) => call("ADD", one, config(mappings))));
      const winners = all.filter((_, at) => answers[at]?.status === 0);
      expect(winners).toHaveLength(1);
      for (const answer of answers.filter(({ status }) => status !== 0)) {
        expect(expectFailure(answer)).toMatchObject({
          code: 104,
          msg: expect.stringContaining(`container ${winners[0]?.containerId} `),
        });
      }
      await Promise.all(all.map((one) => call("DEL", one, config(mappings))));
      expect(await rules()).not.toContain(`race-${protocol}`);
    },
  );

  test("50 containers with ports of their own, ADD and DEL mixed", async () => {
    const first = freshPort();
    nextPort += 200;
    const all = Array.from({ length: 50 }, (_, at) => other(`many-${at}`));
    const mappings = all.map((_, at) => [{ hostPort: first + at, containerPort: 80, protocol: "tcp" }]);
    const answers = await Promise.all(all.map((one, at) => call("ADD", one, config(mappings[at] ?? []))));
    for (const answer of answers) expectSuccess(answer);
    const swapped = await Promise.all(
      all.map((one, at) =>
        at % 2 === 0 ? call("DEL", one, config([])) : call("ADD", one, config(mappings[at] ?? [])),
      ),
    );
    for (const answer of swapped) expect(answer.status).toBe(0);
    expect((await rules()).match(/"ports\/many-\d+\/eth0" : 10/g)).toHaveLength(25);
    await Promise.all(all.map((one) => call("DEL", one, config([]))));
    expect(await rules()).not.toContain("many-");
  });
});

test("GC removes what is not valid, on its own network, and everything when nothing is left", async () => {
  const gc = (name: string, valid: readonly string[]) =>
    call("GC", undefined, {
      cniVersion: "1.1.0",
      name,
      ...portmapOf(lab.plugins),
      "cni.dev/valid-attachments": valid.map((containerID) => ({ containerID, ifname: "eth0" })),
    });
  const add = async (containerId: string, name: string) => {
    const mappings = [{ hostPort: freshPort(), containerPort: 80 }];
    expectSuccess(await call("ADD", other(containerId), config(mappings, { name })));
  };
  await add("kept", "ports");
  await add("stale", "ports");
  await add("elsewhere", "ports-2");
  expectSilence(await gc("ports", ["kept"]));
  const listing = await rules();
  expect([listing.includes("/stale/"), listing.includes("/kept/"), listing.includes("/elsewhere/")]).toEqual([
    false,
    true,
    true,
  ]);
  expectSilence(await gc("ports", []));
  expectSilence(await gc("ports-2", []));
  expect(await rules()).not.toContain("portmap");
});

test("STATUS says that it is ready, and refuses a configuration that no ADD could use", async () => {
  const keys = { cniVersion: "1.1.0", name: NETWORK, ...portmapOf(lab.plugins) };
  expectSilence(await call("STATUS", undefined, keys));
  const failure = expectFailure(await call("STATUS", undefined, { ...keys, conditionsV6: ["x"] }));
  expect(failure).toMatchObject({ code: 2 });
});

test("a failed ADD leaves the settings of the host's links alone", async () => {
  const value = await command(lab.lab.inHost("sysctl", "-n", "net.ipv4.conf.eth0.route_localnet"));
  expect(value.trim()).toBe("0");
});

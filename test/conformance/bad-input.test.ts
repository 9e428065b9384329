/** Input that must be refused: with the right code, a message that says what to do, and nothing left behind. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import {
  type Container,
  expectFailure,
  expectSilence,
  expectSuccess,
  PluginLab,
  type RawCall,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
let network: TestNetwork;
let container: Container;
beforeAll(async () => {
  lab = await PluginLab.open("bad");
  network = lab.network();
  container = await lab.container();
});
afterAll(() => lab?.close());

/** What a runtime would send for ADD, all of it right. */
function rightCall(): RawCall & { readonly env: Record<string, string> } {
  return {
    env: {
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: container.containerId,
      CNI_NETNS: container.netns,
      CNI_IFNAME: container.ifname,
      CNI_PATH: lab.plugins.cniPath.join(":"),
    },
    stdin: JSON.stringify(lab.bridge(network)),
  };
}

/** Calls with something wrong; expects the code and words of the message, and no trace. */
async function expectRefused(change: Partial<RawCall>, code: number, words: string | RegExp): Promise<void> {
  const before = await lab.traces(container, network);
  const error = expectFailure(await lab.callRaw({ ...rightCall(), ...change }));
  expect(error).toMatchObject({ code });
  expect(`${error.msg}; ${error.details ?? ""}`).toMatch(words);
  expect(await lab.traces(container, network)).toEqual(before);
}

const withEnv = (change: Record<string, string>) => ({ env: { ...rightCall().env, ...change } });
const withConfig = (keys: Record<string, unknown>) => ({ stdin: JSON.stringify(lab.bridge(network, keys)) });

describe("environment", () => {
  test("the right call is right", async () => {
    expectSuccess(await lab.callRaw(rightCall()));
    expectSilence(await lab.callRaw(withCommand("DEL")));
  });

  const withCommand = (verb: string): RawCall => ({
    ...rightCall(),
    env: { ...rightCall().env, CNI_COMMAND: verb },
  });

  test.each(["add", "UPDATE", "ADD "])("CNI_COMMAND=%s", async (verb) => {
    await expectRefused(withCommand(verb), 4, "unknown CNI_COMMAND");
  });

  test.each([
    ["ADD", "CNI_CONTAINERID"],
    ["ADD", "CNI_NETNS"],
    ["ADD", "CNI_IFNAME"],
    ["DEL", "CNI_CONTAINERID"],
    ["DEL", "CNI_IFNAME"],
    ["CHECK", "CNI_CONTAINERID"],
    ["CHECK", "CNI_NETNS"],
    ["CHECK", "CNI_IFNAME"],
    ["GC", "CNI_PATH"],
  ])("%s without %s", async (verb, name) => {
    const { env, stdin } = withCommand(verb);
    const { [name]: _, ...missing } = env;
    await expectRefused({ env: missing, stdin }, 4, `required env variables [${name}] missing`);
    await expectRefused({ env: { ...missing, [name]: "" }, stdin }, 4, name);
  });

  test("all that is missing is named at once", async () => {
    const env = { CNI_COMMAND: "ADD", CNI_PATH: "/none" };
    await expectRefused({ env }, 4, /\[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME\] missing/);
  });

  test.each(["../../etc", "-x", "a b", "a/b", "ü"])("CNI_CONTAINERID=%s", async (id) => {
    await expectRefused(withEnv({ CNI_CONTAINERID: id }), 4, /CNI_CONTAINERID.*invalid characters/);
  });

  test.each(["sixteen-bytes-xx", "öööööööö", ".", "..", "a/b", "a:b", "a b", "eth%d"])(
    "CNI_IFNAME=%s",
    async (ifname) => {
      await expectRefused(withEnv({ CNI_IFNAME: ifname }), 4, "CNI_IFNAME");
    },
  );

  test("an interface name of 15 bytes is right", async () => {
    const longest = { ...container, ifname: "fifteen-bytes-x" };
    await lab.add(longest, lab.bridge(network));
    await lab.succeed("DEL", longest, lab.bridge(network));
  });

  test.each(["MAC", "=x", "MAC=a=b", "MAC=02:00:00:00:00:01;"])("CNI_ARGS=%s", async (args) => {
    await expectRefused(withEnv({ CNI_ARGS: args }), 4, "CNI_ARGS");
  });

  test("unknown CNI_ARGS are refused, unless IgnoreUnknown says otherwise", async () => {
    await expectRefused(withEnv({ CNI_ARGS: "COLOUR=red" }), 4, "COLOUR");
    const tolerant = { ...container, args: "COLOUR=red;IgnoreUnknown=true" };
    await lab.add(tolerant, lab.bridge(network));
    await lab.succeed("DEL", tolerant, lab.bridge(network));
  });
});

describe("netns", () => {
  test("that does not exist", async () => {
    await expectRefused(withEnv({ CNI_NETNS: "/run/netns/no-such" }), 8, "does not exist");
  });

  test("that is a plain file", async () => {
    await expectRefused(withEnv({ CNI_NETNS: lab.lab.file("plain", "x") }), 8, /plain.*regular file/);
  });

  test("that is a directory", async () => {
    await expectRefused(withEnv({ CNI_NETNS: lab.lab.directory }), 8, "directory");
  });

  test("that is another kind of namespace", async () => {
    await expectRefused(withEnv({ CNI_NETNS: "/proc/self/ns/mnt" }), 8, "mount");
  });

  test("that is our own", async () => {
    await expectRefused(withEnv({ CNI_NETNS: "/proc/self/ns/net" }), 8, "should not be the same");
  });
});

describe("stdin", () => {
  test.each(["", "{", "not json", "[]", '"text"', "7", "{} {}"])(
    "%j is not a configuration: code 6",
    async (stdin) => {
      await expectRefused({ stdin }, 6, "read network configuration");
    },
  );

  test("10 MB", async () => {
    const padding = "x".repeat(10 * 1024 * 1024);
    await expectRefused(withConfig({ padding }), 7, /more than|larger than/);
  });

  test("10,000 levels", async () => {
    const nested = JSON.parse(`${"[".repeat(1_000)}${"]".repeat(1_000)}`) as unknown;
    await expectRefused(withConfig({ nested }), 7, "levels deep");
    const deep = "[".repeat(10_000) + "]".repeat(10_000);
    const stdin = JSON.stringify(lab.bridge(network)).replace(/^\{/, `{"nested":${deep},`);
    await expectRefused({ stdin }, 7, "levels deep");
  });

  test("a million opening brackets", async () => {
    await expectRefused({ stdin: "[".repeat(1_000_000) }, 7, "levels deep");
  });
});

describe("configuration", () => {
  test.each([
    [{ name: "" }, /missing network name/],
    [{ name: "../x" }, /name.*invalid characters/],
    [{ name: "a/b" }, /name.*invalid characters/],
    [{ name: 5 }, /name: it is the number 5, expected a string/],
    [{ type: "../../bin/sh" }, /type.*without any path/],
    [{ ipam: { type: "../host-local" } }, /ipam\.type.*without any path/],
    [{ ipam: { type: "/bin/sh" } }, /ipam\.type.*without any path/],
    [{ ipam: [] }, /ipam/],
    [{ bridge: 5 }, /bridge: it is the number 5, expected an interface name/],
    [{ bridge: "a-name-that-is-too-long" }, /bridge/],
    [{ bridge: "../x" }, /bridge/],
    [{ isGateway: "yes" }, /isGateway: it is the string "yes", expected true or false/],
    [{ mtu: "1400" }, /mtu: it is the string "1400"/],
    [{ mtu: -1 }, /mtu: it is the number -1/],
    [{ vlan: 4095 }, /vlan/],
    [{ hairpinMode: true, promiscMode: true }, /hairpin.*promisc|promisc.*hairpin/i],
    [{ dns: { nameservers: "192.0.2.1" } }, /dns\.nameservers/],
    [{ runtimeConfig: { mac: 1 } }, /runtimeConfig\.mac/],
    [{ prevResult: { ips: [{ address: "10.0.0.1" }] } }, /prevResult ips\[0\]\.address/],
    [{ prevResult: { cniVersion: "0.4.0" } }, /prevResult cniVersion/],
  ] as const)("%j: code 7", async (keys, words) => {
    await expectRefused(withConfig(keys), 7, words);
  });

  test.each([
    [[[{ subnet: "10.1.2.0/33" }]], /ipam\.ranges\[0\]\[0\]\.subnet: "10\.1\.2\.0\/33".*0 to 32/],
    [[[{ subnet: "not-a-subnet" }]], /ipam\.ranges\[0\]\[0\]\.subnet: "not-a-subnet"/],
    [[[{ subnet: "10.1.2.3/24" }]], /ipam\.ranges\[0\]\[0\]\.subnet: .*; write 10\.1\.2\.0\/24/],
    [[[{ subnet: "" }]], /ipam\.ranges\[0\]\[0\]\.subnet: a range names no subnet/],
    [[[{ subnet: "x".repeat(500) }]], /ipam\.ranges\[0\]\[0\]\.subnet: /],
    [[[]], /ipam\.ranges\[0\]: the range set is empty/],
    [
      [[{ subnet: "10.1.2.0/24" }], [{ subnet: "fd00::/64", gateway: "fd00::1/64" }]],
      /ipam\.ranges\[1\]\[0\]\.gateway: .*write the address alone: fd00::1/,
    ],
    [
      [[{ subnet: "10.1.2.0/24" }, { subnet: "10.1.0.0/16", rangeEnd: "10.1.2.9" }]],
      /ipam\.ranges\[0\]\[1\]: its addresses .* of ipam\.ranges\[0\]\[0\]/,
    ],
  ])("the ranges %j", async (ranges, words) => {
    await expectRefused(withConfig({ ipam: { ...lab.plugins.ipam([]), ranges } }), 7, words);
  });

  test("a single range and that of the runtime", async () => {
    const ipam = { ...lab.plugins.ipam([]), subnet: "10.1.2.0/24", rangeEnd: "10.1.3.9" };
    await expectRefused(withConfig({ ipam }), 7, "ipam.rangeEnd: 10.1.3.9 is not in 10.1.2.0/24");
    const runtimeConfig = { ipRanges: [[{ subnet: "10.1.2.0/24", rangeStart: "10.1.2.x" }]] };
    const words = 'runtimeConfig.ipRanges[0][0].rangeStart: "10.1.2.x" is refused';
    await expectRefused(withConfig({ runtimeConfig }), 7, words);
  });

  test("STATUS speaks of the same place", async () => {
    const ipam = { ...lab.plugins.ipam([]), ranges: [[{ subnet: "10.1.2.3/24" }]] };
    const error = await lab.fail(
      "STATUS",
      undefined,
      lab.bridge(lab.network(), { cniVersion: "1.1.0", ipam }),
    );
    expect(error).toMatchObject({ code: 50, msg: expect.stringContaining("ipam.ranges[0][0].subnet") });
  });

  test.each([
    ["a VXLAN device", ["type", "vxlan", "id", "7", "dstport", "4789"]],
    ["a macvlan", ["link", "eth0", "type", "macvlan"]],
  ])("a bridge name that is %s", async (_, kind) => {
    const { bridge } = lab.network();
    await lab.lab.host(["ip", "link", "add", bridge, ...kind]);
    await expectRefused(withConfig({ bridge }), 100, bridge);
    await lab.lab.host(["ip", "link", "del", bridge]);
  });
});

describe("addresses", () => {
  test("a pool that is exhausted is code 11: try again later", async () => {
    const own = lab.network();
    const only = own.subnet.replace("0/24", "10");
    const ranges = [[{ subnet: own.subnet, rangeStart: only, rangeEnd: only }]];
    const config = lab.bridge(own, { ipam: { ...lab.plugins.ipam([own.subnet]), ranges } });
    const [holder, late] = [await lab.container(), await lab.container()];
    await lab.add(holder, config);
    const before = await lab.traces(late, own);
    const error = await lab.fail("ADD", late, config);
    expect(error).toMatchObject({ code: 11 });
    expect(await lab.traces(late, own)).toEqual(before);
    await lab.succeed("DEL", late, config);
    await lab.succeed("DEL", holder, config);
  });

  test("a requested address outside of the ranges", async () => {
    await expectRefused(withConfig({ runtimeConfig: { ips: ["192.0.2.77"] } }), 7, "192.0.2.77");
  });
});

describe("the socket of the IPAM service", () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.close();
    server = undefined;
  });

  /** Listens, and does to each connection what `onConnection` says. */
  async function listen(
    name: string,
    onConnection: (socket: import("node:net").Socket) => void,
  ): Promise<string> {
    const path = join(lab.lab.directory, name);
    server = createServer(onConnection);
    await new Promise<void>((resolve) => server?.listen(path, resolve));
    return path;
  }

  const withSocket = (socket: string) =>
    withConfig({ ipam: { ...lab.plugins.ipam([network.subnet]), socket, timeoutSeconds: 1 } });

  test("nobody listens: code 11", async () => {
    const socket = join(lab.lab.directory, "absent.sock");
    await expectRefused(withSocket(socket), 11, socket);
  });

  test("a plain file: code 11", async () => {
    await expectRefused(withSocket(lab.lab.file("file.sock", "")), 11, "file.sock");
  });

  test("somebody listens and never answers: code 11 within the time limit, and the wish is taken back later", async () => {
    const open: import("node:net").Socket[] = [];
    const socket = await listen("hang.sock", (connection) => open.push(connection));
    const before = await lab.traces(container, network);
    const error = expectFailure(await lab.callRaw({ ...rightCall(), ...withSocket(socket) }));
    expect(error).toMatchObject({ code: 11, msg: expect.stringContaining("hang.sock") });
    // Whoever listens may grant the address yet: a note on disk says that nobody wants it any more.
    const after = await lab.traces(container, network);
    const [note = ""] = lab.nodeFiles();
    expect(JSON.parse(readFileSync(note, "utf8"))).toMatchObject({ onlyAttempts: true, wasNew: true });
    expect(after).toEqual({ ...before, files: [note] });
    for (const connection of open) connection.destroy();
  });

  test("somebody drips an answer without end: code 11 within the time limit", async () => {
    const socket = await listen("drip.sock", (connection) => {
      connection.on("error", () => {});
      const timer = setInterval(() => connection.write("x"), 100);
      connection.on("close", () => clearInterval(timer));
    });
    await expectRefused(withSocket(socket), 11, "drip.sock");
  });

  test("what answers is not the service: code 6", async () => {
    const socket = await listen("other.sock", (connection) => {
      connection.on("error", () => {});
      connection.end("220 mail.example ESMTP\r\n");
    });
    await expectRefused(withSocket(socket), 6, /answer|HTTP/);
  });

  test("DEL with nobody listening keeps the release for later", async () => {
    const own = lab.network();
    const other = await lab.container();
    const good = lab.bridge(own);
    const ipam = { ...lab.plugins.ipam([own.subnet]), socket: join(lab.lab.directory, "absent.sock") };
    await lab.add(other, good);
    const before = new Set(lab.nodeFiles());
    /** Beside what the tests above may have left, which any call may take back. */
    const newFiles = (): string[] => lab.nodeFiles().filter((file) => !before.has(file));
    await lab.succeed("DEL", other, lab.bridge(own, { ipam }));
    expect(await lab.containerLinks(other)).toEqual([]);
    expect(await lab.plugins.boundAddresses(own.name)).toHaveLength(1);
    expect(newFiles()).toHaveLength(1);
    // The next ADD makes up for it before it asks for anything.
    const next = await lab.container();
    const result = await lab.add(next, good);
    const given = result.ips?.map(({ address }) => address.replace("/24", ""));
    expect(await lab.plugins.boundAddresses(own.name)).toEqual(given);
    expect(newFiles()).toEqual([]);
    await lab.succeed("DEL", next, good);
    expect(await lab.plugins.boundAddresses(own.name)).toEqual([]);
  });
});

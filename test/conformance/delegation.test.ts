/** IPAM plugins that are processes of their own: found, fed and believed as the specification says. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  type Configuration,
  expectSilence,
  expectSuccess,
  PluginLab,
  type TestNetwork,
} from "../support/lab/plugin-lab.ts";

jest.setTimeout(120_000);

let lab: PluginLab;
beforeAll(async () => {
  lab = await PluginLab.open("deleg");
});
afterAll(() => lab?.close());

const lastOctet = (network: TestNetwork, last: string) => network.subnet.replace("0/24", last);

/** What a delegate answers to ADD on a network. */
const resultOn = (network: TestNetwork) =>
  JSON.stringify({
    cniVersion: "1.0.0",
    ips: [{ address: lastOctet(network, "7/24"), gateway: lastOctet(network, "1") }],
    routes: [{ dst: "0.0.0.0/0" }],
    dns: { domain: "delegate.test" },
  });

/** Notes the verb and keeps stdin and environment of each call, then does `lines`. */
function recorder(type: string, lines: readonly string[]): string {
  const record = [
    'echo "$CNI_COMMAND" >> $DIR/verbs',
    "cat > $DIR/stdin.$CNI_COMMAND",
    "env > $DIR/env.$CNI_COMMAND",
  ];
  rmSync(join(lab.lab.directory, "scripts", "verbs"), { force: true });
  return lab.scriptedPlugin(type, [...record, ...lines]);
}

const ADD_ONLY = (answer: string) => [`[ "$CNI_COMMAND" != ADD ] || echo '${answer}'`];
const recorded = (name: string) => readFileSync(join(lab.lab.directory, "scripts", name), "utf8");
const verbs = () => recorded("verbs").trim().split("\n");
const withPath = (folder: string) => ({ CNI_PATH: `/no/such/folder:${folder}` });

const configOf = (type: string, keys: Configuration = {}, network = lab.network()) =>
  lab.bridge(network, { ipam: { type, "some-key": ["a", { b: 1 }] }, ...keys });

test("a delegate's addresses, routes and dns are used", async () => {
  const network = lab.network();
  const env = withPath(recorder("scripted-ipam", ADD_ONLY(resultOn(network))));
  const container = await lab.container();
  const config = configOf("scripted-ipam", {}, network);
  const added = await lab.call({ verb: "ADD", container, config, env });
  expectSuccess(added);
  const result = JSON.parse(added.stdout) as Record<string, unknown>;
  expect(result).toMatchObject({
    cniVersion: "1.0.0",
    ips: [{ address: lastOctet(network, "7/24"), gateway: lastOctet(network, "1"), interface: 2 }],
    dns: { domain: "delegate.test" },
  });
  expect(await lab.containerAddresses(container)).toEqual([lastOctet(network, "7/24")]);
  const withResult = { ...config, prevResult: result };
  expectSuccess(await lab.call({ verb: "CHECK", container, config: withResult, env }));
  expectSuccess(await lab.call({ verb: "DEL", container, config: withResult, env }));
  expect(verbs()).toEqual(["ADD", "CHECK", "DEL"]);
});

test("the delegate gets our whole environment and the very bytes of our stdin", async () => {
  const network = lab.network();
  const folder = recorder("scripted-ipam", ADD_ONLY(resultOn(network)));
  const container = await lab.container();
  const stdin = `${JSON.stringify(configOf("scripted-ipam", {}, network), null, 7)}\n\n`;
  const env = {
    CNI_COMMAND: "ADD",
    CNI_CONTAINERID: container.containerId,
    CNI_NETNS: container.netns,
    CNI_IFNAME: container.ifname,
    CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAME=web",
    TRACEPARENT: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ...withPath(folder),
  };
  expectSuccess(await lab.callRaw({ env, stdin }));
  expect(recorded("stdin.ADD")).toBe(stdin);
  const seen = recorded("env.ADD").split("\n");
  for (const [name, value] of Object.entries(env)) expect(seen).toContain(`${name}=${value}`);
  expectSuccess(await lab.callRaw({ env: { ...env, CNI_COMMAND: "DEL" }, stdin }));
});

test("a delegate that answers in the shape of 0.2.0", async () => {
  const network = lab.network();
  const ip4 = { ip: lastOctet(network, "7/24"), gateway: lastOctet(network, "1") };
  const env = withPath(recorder("scripted-ipam", ADD_ONLY(JSON.stringify({ cniVersion: "0.2.0", ip4 }))));
  const container = await lab.container();
  const config = configOf("scripted-ipam", { cniVersion: "0.2.0" }, network);
  const added = await lab.call({ verb: "ADD", container, config, env });
  expectSuccess(added);
  expect(JSON.parse(added.stdout)).toEqual({ cniVersion: "0.2.0", ip4, dns: {} });
  expectSilence(await lab.call({ verb: "DEL", container, config, env }));
});

test("GC and STATUS are handed on", async () => {
  const env = withPath(recorder("scripted-ipam", []));
  const config = configOf("scripted-ipam", { cniVersion: "1.1.0", "cni.dev/valid-attachments": [] });
  expectSilence(await lab.call({ verb: "GC", config, env }));
  expectSilence(await lab.call({ verb: "STATUS", config, env }));
  expect(verbs()).toEqual(["GC", "STATUS"]);
});

describe("a delegate that fails", () => {
  const ERROR = {
    cniVersion: "1.0.0",
    code: 4242,
    msg: "no more addresses",
    details: "ask later",
    extra: [1],
  };
  const FAILING = [`echo '${JSON.stringify(ERROR)}'; echo 'a log line' >&2; exit 3`];

  test("its error object is ours, its stderr is ours, and it gets a DEL after a failed ADD", async () => {
    const env = withPath(recorder("failing-ipam", FAILING));
    const network = lab.network();
    const container = await lab.container();
    const before = await lab.traces(container, network);
    const config = lab.bridge(network, { ipam: { type: "failing-ipam" } });
    const answer = await lab.call({ verb: "ADD", container, config, env });
    expect(answer).toMatchObject({ status: 1, stderr: expect.stringContaining("a log line") });
    expect(JSON.parse(answer.stdout)).toEqual(ERROR);
    expect(verbs()).toEqual(["ADD", "DEL"]);
    expect(await lab.traces(container, network)).toEqual(before);
  });

  test.each(["DEL", "STATUS"])("%s fails with its error", async (verb) => {
    const env = withPath(recorder("failing-ipam", FAILING));
    const container = await lab.container();
    const config = configOf("failing-ipam", { cniVersion: "1.1.0" });
    const answer = await lab.call({ verb, container, config, env });
    expect(answer.status).toBe(1);
    expect(JSON.parse(answer.stdout)).toMatchObject({ code: 4242, msg: "no more addresses" });
  });

  test.each([
    ["says nothing", ["exit 2"], "exit status 2"],
    ["says what is no JSON", ["echo panic: oops; exit 2"], "panic: oops"],
    ["is killed", ["kill -9 $$"], "SIGKILL"],
    ["answers what is no result", ['echo \'{"ips":[{"address":"nonsense"}]}\''], "ips[0].address"],
    ["answers without an address", ['echo \'{"cniVersion":"1.0.0"}\''], "address|IP"],
    ["answers in an unknown version", ['echo \'{"cniVersion":"9.0.0"}\''], "9.0.0"],
  ])("one that %s leaves nothing", async (_, lines, words) => {
    const only = ['if [ "$CNI_COMMAND" = ADD ]; then', ...lines, "fi"];
    const env = withPath(recorder("broken-ipam", only));
    const network = lab.network();
    const container = await lab.container();
    const before = await lab.traces(container, network);
    const config = lab.bridge(network, { ipam: { type: "broken-ipam" } });
    const answer = await lab.call({ verb: "ADD", container, config, env });
    expect(answer.status).toBe(1);
    const { msg, details = "" } = JSON.parse(answer.stdout) as { msg: string; details?: string };
    expect(`${msg}; ${details}`).toMatch(new RegExp(words.replace(/[[\].]/g, "\\$&")));
    expect(verbs()).toEqual(["ADD", "DEL"]);
    expect(await lab.traces(container, network)).toEqual(before);
  });
});

describe("a delegate that is missing", () => {
  test("is named, with the folders that were searched, and nothing is left", async () => {
    const network = lab.network();
    const container = await lab.container();
    const before = await lab.traces(container, network);
    const config = lab.bridge(network, { ipam: { type: "no-such-ipam" } });
    const error = await lab.fail("ADD", container, config);
    expect(error).toMatchObject({ code: 111 });
    expect(error.msg).toContain(
      `failed to find plugin "no-such-ipam" in path [${lab.plugins.cniPath.join(" ")}]`,
    );
    expect(await lab.traces(container, network)).toEqual(before);
  });

  test("without CNI_PATH too", async () => {
    const container = await lab.container();
    const answer = await lab.call({
      verb: "ADD",
      container,
      config: configOf("no-such-ipam"),
      env: { CNI_PATH: "" },
    });
    expect(answer.status).toBe(1);
    expect(answer.stdout).toContain("no-such-ipam");
  });

  test("a folder of that name is no plugin", async () => {
    lab.lab.folder("scripts", "folder-ipam");
    const env = withPath(join(lab.lab.directory, "scripts"));
    const container = await lab.container();
    const answer = await lab.call({ verb: "ADD", container, config: configOf("folder-ipam"), env });
    expect(JSON.parse(answer.stdout)).toMatchObject({ code: 111 });
  });
});

test.each(["fairlead-bridge", "fairlead-macvlan", "bridge"])(
  "%s gives no addresses: it is refused, once",
  async (type) => {
    const network = lab.network();
    const container = await lab.container();
    const before = await lab.traces(container, network);
    const config = lab.bridge(network, { ipam: { type } });
    expect(await lab.fail("ADD", container, config)).toMatchObject({
      code: 7,
      msg: expect.stringMatching(/ipam\.type.*makes interfaces/),
    });
    await lab.succeed("DEL", container, config);
    expect(await lab.traces(container, network)).toEqual(before);
  },
);

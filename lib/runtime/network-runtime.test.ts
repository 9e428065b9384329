import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  FAKE_PLUGIN_FOLDER,
  type FakePlugin,
  FakePlugins,
  type PluginCall,
} from "../../test/support/runtimes/fake-plugins.ts";
import { isHalfMade, ResultCache } from "./cache.ts";
import { readConflist } from "./conflist.ts";
import { NetworkRuntime } from "./network-runtime.ts";

let folder: string;
let plugins: FakePlugins;
let runtime: NetworkRuntime;
let cache: ResultCache;

const ATTACHMENT = { containerId: "c1", ifname: "eth0", netns: "/run/netns/c1" };

/** Adds an address to what came before; fails when it is told to. */
const adder =
  (address: string): FakePlugin =>
  ({ env, stdin }) => {
    const { cniVersion, prevResult, fail } = JSON.parse(stdin);
    if (fail === env["CNI_COMMAND"])
      return { status: 1, stdout: JSON.stringify({ cniVersion, code: 102, msg: "taken", details: "by x" }) };
    if (env["CNI_COMMAND"] !== "ADD") return "";
    return JSON.stringify({ cniVersion, ips: [...(prevResult?.ips ?? []), { address }] });
  };

const network = (changes: object = {}, second: object = {}) =>
  readConflist(
    { cniVersion: "1.0.0", name: "net", plugins: [{ type: "a" }, { type: "b", ...second }], ...changes },
    "net",
  );

const verbs = (): string[] => plugins.calls.map(({ type, env }) => `${env["CNI_COMMAND"]} ${type}`);
const stdinOf = (call: PluginCall | undefined) => JSON.parse(call?.stdin ?? "null");
const cacheFile = (name = "net-c1-eth0"): string => join(folder, "results", name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fl-runtime-"));
  plugins = new FakePlugins({
    a: adder("10.0.0.2/24"),
    b: adder("10.0.1.2/24"),
    crash: () => ({ status: 2, stdout: "segfault" }),
  });
  cache = new ResultCache(folder);
  runtime = new NetworkRuntime({
    pluginPath: [FAKE_PLUGIN_FOLDER],
    env: { HOME: "/" },
    exec: plugins,
    cache,
  });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("ADD runs in order, hands results on, and leaves what libcni reads", () => {
  const attachment = {
    ...ATTACHMENT,
    cniArgs: [["IgnoreUnknown", "1"]] as const,
    capabilityArgs: { ips: ["x"] },
  };
  const { result } = runtime.add(network(), attachment, { notes: () => ({ name: "web" }) });
  expect(verbs()).toEqual(["ADD a", "ADD b"]);
  expect(result.ips.map(({ address }) => address)).toEqual(["10.0.0.2/24", "10.0.1.2/24"]);
  expect(plugins.calls[1]?.env).toMatchObject({
    HOME: "/",
    CNI_CONTAINERID: "c1",
    CNI_NETNS: "/run/netns/c1",
    CNI_IFNAME: "eth0",
    CNI_ARGS: "IgnoreUnknown=1",
    CNI_PATH: FAKE_PLUGIN_FOLDER,
  });
  const entry = JSON.parse(readFileSync(cacheFile(), "utf8"));
  expect({ ...entry, config: JSON.parse(atob(entry.config)) }).toEqual({
    kind: "cniCacheV1",
    containerId: "c1",
    config: network().raw,
    ifName: "eth0",
    networkName: "net",
    netns: "/run/netns/c1",
    cniArgs: [["IgnoreUnknown", "1"]],
    capabilityArgs: { ips: ["x"] },
    result: { cniVersion: "1.0.0", ips: [{ address: "10.0.0.2/24" }, { address: "10.0.1.2/24" }] },
    fairlead: { name: "web" },
  });
});

test("while the plugins run there is an entry without a result, for whoever comes after a command that was killed", () => {
  const seen: unknown[] = [];
  plugins = new FakePlugins({
    a: () => {
      const [entry] = cache.list("c1");
      seen.push(entry && [isHalfMade(entry), entry.rawResult, entry.notes?.["step"]]);
      return '{"cniVersion":"1.0.0"}';
    },
  });
  runtime = new NetworkRuntime({ pluginPath: [FAKE_PLUGIN_FOLDER], env: {}, exec: plugins, cache });
  const notes = (result: unknown) => ({ step: result === null ? "before" : "after" });
  runtime.add(network({ plugins: [{ type: "a" }] }), ATTACHMENT, { notes });
  expect(seen).toEqual([[true, null, "before"]]);
  const [entry] = cache.list("c1");
  expect([entry && isHalfMade(entry), entry?.notes?.["step"]]).toEqual([false, "after"]);
});

test("DEL runs in reverse with the final result and clears the cache, however often", () => {
  runtime.add(network(), ATTACHMENT);
  plugins.calls.length = 0;
  runtime.del(network(), ATTACHMENT);
  runtime.del(network(), ATTACHMENT);
  expect(verbs()).toEqual(["DEL b", "DEL a", "DEL b", "DEL a"]);
  expect(stdinOf(plugins.calls[1]).prevResult.ips).toHaveLength(2);
  expect(stdinOf(plugins.calls[3])).not.toHaveProperty("prevResult");
  expect(readdirSync(join(folder, "results"))).toEqual([]);
});

test("a failed ADD takes everything back and is reported as the plugin reported it", () => {
  const failing = network({}, { fail: "ADD" });
  expect(() => runtime.add(failing, ATTACHMENT)).toThrow(
    expect.objectContaining({ name: "DelegateError", answer: expect.objectContaining({ code: 102 }) }),
  );
  expect(verbs()).toEqual(["ADD a", "ADD b", "DEL b", "DEL a"]);
  expect(existsSync(cacheFile())).toBe(false);
});

test("a plugin that is not there, or says nonsense, is an error that names it", () => {
  const withPlugin = (type: string) => network({ plugins: [{ type }] });
  expect(() => runtime.add(withPlugin("nosuch"), ATTACHMENT)).toThrow(/find plugin nosuch/);
  expect(() => runtime.add(withPlugin("crash"), ATTACHMENT)).toThrow(
    /crash: it failed \(exit status 2\).*segfault/,
  );
});

test("a DEL that fails stops before earlier plugins give anything away, and keeps the entry; force goes on", () => {
  const failing = network({}, { fail: "DEL" });
  runtime.add(failing, ATTACHMENT);
  plugins.calls.length = 0;
  expect(() => runtime.del(failing, ATTACHMENT)).toThrow("taken");
  expect(verbs()).toEqual(["DEL b"]);
  expect(existsSync(cacheFile())).toBe(true);
  expect(() => runtime.del(failing, ATTACHMENT, { force: true })).toThrow("taken");
  expect(verbs()).toEqual(["DEL b", "DEL b", "DEL a"]);
  expect(existsSync(cacheFile())).toBe(false);
});

test("an attachment out of the cache is detached as it was attached, in the version of then", () => {
  const attachment = { ...ATTACHMENT, capabilityArgs: { ips: ["10.0.0.2"] } };
  runtime.add(network({ cniVersions: ["1.1.0"] }, { capabilities: { ips: true } }), attachment);
  plugins.calls.length = 0;
  const [cached] = cache.list("c1");
  if (!cached) throw new Error("nothing cached");
  runtime.delCached(cached, { netns: "" });
  expect(plugins.calls.map(({ env }) => env["CNI_NETNS"])).toEqual(["", ""]);
  expect(stdinOf(plugins.calls[0])).toMatchObject({
    cniVersion: "1.1.0",
    runtimeConfig: { ips: ["10.0.0.2"] },
  });
});

test("CHECK needs a cached result, and 0.4.0; it can be switched off", () => {
  expect(() => runtime.check(network(), ATTACHMENT)).toThrow("no result is cached");
  runtime.add(network(), ATTACHMENT);
  runtime.check(network(), ATTACHMENT);
  runtime.check(network({ disableCheck: true }), ATTACHMENT);
  expect(verbs().slice(2)).toEqual(["CHECK a", "CHECK b"]);
  expect(() => runtime.check(network({ cniVersion: "0.3.1" }), ATTACHMENT)).toThrow("does not have it");
});

test("before 0.4.0 DEL gets no result", () => {
  const old = network({ cniVersion: "0.3.1" });
  runtime.add(old, ATTACHMENT);
  runtime.del(old, ATTACHMENT);
  expect(stdinOf(plugins.calls[2])).not.toHaveProperty("prevResult");
});

test("GC detaches what is cached and stale, then asks the plugins, from 1.1.0 on", () => {
  const modern = network({ cniVersion: "1.1.0" });
  const keep = { containerId: "c2", ifname: "eth0" };
  runtime.add(modern, ATTACHMENT);
  runtime.add(modern, { ...keep, netns: "/run/netns/c2" });
  plugins.calls.length = 0;
  runtime.gc(modern, [keep]);
  expect(verbs()).toEqual(["DEL b", "DEL a", "GC a", "GC b"]);
  const valid = [{ containerID: "c2", ifname: "eth0" }];
  expect(stdinOf(plugins.calls[2])).toMatchObject({
    "cni.dev/valid-attachments": valid,
    "cni.dev/attachments": valid,
  });
  expect(cache.list().map(({ containerId }) => containerId)).toEqual(["c2"]);
  plugins.calls.length = 0;
  runtime.gc(network(), [keep]);
  runtime.gc(network({ cniVersion: "1.1.0", disableGC: true }), []);
  expect(verbs()).toEqual([]);
});

test("STATUS asks every plugin, from 1.1.0 on", () => {
  runtime.status(network());
  runtime.status(network({ cniVersion: "1.1.0" }));
  expect(verbs()).toEqual(["STATUS a", "STATUS b"]);
  expect(() => runtime.status(network({ cniVersion: "1.1.0" }, { fail: "STATUS" }))).toThrow("taken");
});

test("VERSION", () => {
  plugins = new FakePlugins({ a: () => '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}' });
  runtime = new NetworkRuntime({ pluginPath: [FAKE_PLUGIN_FOLDER], env: {}, exec: plugins, cache });
  expect(runtime.version(network(), "a")).toEqual(["1.0.0", "1.1.0"]);
});

test("two attachments whose files would have one name do not overwrite each other", () => {
  const first = readConflist({ cniVersion: "1.0.0", name: "n", plugins: [{ type: "a" }] }, "n");
  const second = readConflist({ cniVersion: "1.0.0", name: "n-c", plugins: [{ type: "a" }] }, "n-c");
  runtime.add(first, { ...ATTACHMENT, containerId: "c-d" });
  expect(() => runtime.add(second, { ...ATTACHMENT, containerId: "d" })).toThrow(/taken by container c-d/);
  expect(cache.list("d")).toEqual([]);
});

test("entries of libcni are read, what is none is passed over", () => {
  mkdirSync(join(folder, "results"), { recursive: true });
  const config = btoa(JSON.stringify({ cniVersion: "0.4.0", name: "podnet", type: "a" }));
  const entry = {
    kind: "cniCacheV1",
    containerId: "p1",
    config,
    ifName: "eth1",
    networkName: "podnet",
    cniArgs: [["K8S_POD_NAME", "web"]],
    capabilityArgs: { portMappings: null },
    result: { cniVersion: "0.4.0", dns: {}, ips: [{ version: "4", address: "10.9.0.2/24" }] },
  };
  writeFileSync(cacheFile("podnet-p1-eth1"), JSON.stringify(entry));
  writeFileSync(cacheFile("old-p1-eth0"), JSON.stringify({ cniVersion: "0.2.0", ip4: {} }));
  writeFileSync(cacheFile("broken-p1-eth2"), "{");
  const [cached, ...others] = cache.list("p1");
  expect(others).toEqual([]);
  expect(cached).toMatchObject({ networkName: "podnet", ifname: "eth1", netns: "", notes: null });
  expect(cached?.conflist.plugins.map(({ type }) => type)).toEqual(["a"]);
});

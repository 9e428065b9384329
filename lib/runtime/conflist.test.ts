import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseConflist, withArgs } from "./conflist.ts";
import { findConflist, loadConflists } from "./conflist-directory.ts";
import { requestConfiguration, unservedCapabilities } from "./request-configuration.ts";

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const parse = (value: object) =>
  parseConflist(encode({ name: "n", plugins: [{ type: "p" }], ...value }), "x");

test.each([
  [{}, "0.1.0"],
  [{ cniVersion: "0.4.0" }, "0.4.0"],
  [{ cniVersion: "1.0.0", cniVersions: ["0.4.0", "1.0.0", "1.1.0"] }, "1.1.0"],
  [{ cniVersion: "1.0.0", cniVersions: ["9.0.0"] }, "1.0.0"],
  [{ cniVersion: "1.1.0", cniVersions: ["1.0.0"] }, "1.1.0"],
])("%j is spoken in %s", (versions, expected) => {
  expect(parse(versions).cniVersion).toBe(expected);
});

test.each([
  [{ cniVersion: "9.0.0" }, "incompatible-cni-version", "it offers 9.0.0"],
  [{ name: "a/b" }, "invalid-config", "does not start with a letter or digit"],
  [{ name: "" }, "invalid-config", "it has no name"],
  [{ plugins: [{}] }, "invalid-config", 'plugins[0]: it has no "type"'],
  [{ plugins: ["p"] }, "invalid-config", "not an object"],
  [{ plugins: [{ type: "../p" }] }, "invalid-config", "without any path"],
])("%j is refused", (change, code, message) => {
  const read = () => parse(change);
  expect(read).toThrow(expect.objectContaining({ code }));
  expect(read).toThrow(message);
});

test("flags may be text, as libcni reads them", () => {
  const { disableCheck, disableGc } = parse({ disableCheck: "true", disableGC: true });
  expect([disableCheck, disableGc]).toEqual([true, true]);
});

test("a request holds name, version, the result before, and what the plugin's capabilities ask for", () => {
  const conflist = parse({
    cniVersion: "1.0.0",
    plugins: [{ type: "p", capabilities: { ips: true, mac: false }, runtimeConfig: { old: 1 }, key: [1] }],
  });
  const [plugin] = conflist.plugins;
  if (!plugin) throw new Error("no plugin");
  const capabilityArgs = { ips: ["10.0.0.5"], mac: "02:00:00:00:00:01", other: 1 };
  const attachment = { containerId: "c", ifname: "eth0", netns: "/n", capabilityArgs };
  const stdin = requestConfiguration(conflist, plugin, { attachment, prevResult: { cniVersion: "1.0.0" } });
  expect(JSON.parse(new TextDecoder().decode(stdin))).toEqual({
    type: "p",
    key: [1],
    name: "n",
    cniVersion: "1.0.0",
    runtimeConfig: { old: 1, ips: ["10.0.0.5"] },
    prevResult: { cniVersion: "1.0.0" },
  });
  expect(unservedCapabilities(conflist, capabilityArgs)).toEqual(["mac", "other"]);
});

test("metadata is added to every plugin and wins over what is written", () => {
  const conflist = parse({
    plugins: [{ type: "p", args: { cni: { names: ["old"], mac: "m" }, x: 1 } }, { type: "q" }],
  });
  const raw = withArgs(conflist, { names: ["web"] }).raw;
  expect(raw["plugins"]).toEqual([
    { type: "p", args: { cni: { names: ["web"], mac: "m" }, x: 1 } },
    { type: "q", args: { cni: { names: ["web"] } } },
  ]);
});

describe("a configuration directory", () => {
  let folder: string;
  const put = (name: string, content: unknown): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  };
  const list = (name: string, ...types: string[]) => ({
    cniVersion: "1.0.0",
    name,
    plugins: types.map((type) => ({ type })),
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fl-conf-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("the first file of a name counts, lists before single plugins, broken files hide nothing", () => {
    put("20-a.conflist", list("a", "second"));
    put("10-a.conflist", list("a", "first"));
    put("05-a.conf", { cniVersion: "0.4.0", name: "a", type: "single" });
    put("05-b.json", { cniVersion: "0.4.0", name: "b", type: "single" });
    put("00-broken.conflist", "{");
    put("99-empty.conflist", list("c"));
    put("readme.txt", "no configuration");
    const { networks, faults } = loadConflists(folder);
    expect(networks.map(({ conflist: { name, plugins } }) => [name, ...plugins.map((p) => p.type)])).toEqual([
      ["a", "first"],
      ["b", "single"],
    ]);
    expect(faults.map(({ message }) => message)).toEqual([
      expect.stringContaining("00-broken.conflist: not JSON"),
      expect.stringContaining("99-empty.conflist: it lists no plugin"),
    ]);
  });

  test("plugins in the folder of the network come behind its own, unless it refuses them", () => {
    put("10-a.conflist", list("a", "own"));
    put("a/20.conf", { type: "z" });
    put("a/10.conf", { type: "y" });
    put("10-b.conflist", { ...list("b", "own"), loadOnlyInlinedPlugins: true });
    put("b/10.conf", { type: "y" });
    const typesOf = (name: string) => findConflist(folder, name).conflist.plugins.map(({ type }) => type);
    expect([typesOf("a"), typesOf("b")]).toEqual([["own", "y", "z"], ["own"]]);
  });

  test("an unknown network is told with the files that may have held it", () => {
    put("10-x.conflist", "nonsense");
    expect(() => findConflist(folder, "a")).toThrow(/find conflist of network a: .*10-x\.conflist/);
    expect(() => findConflist(folder, "a")).toThrow(
      expect.objectContaining({
        reason: expect.stringContaining(`there is none in ${folder}, and some files there cannot be read: `),
      }),
    );
    expect(() => findConflist(`${folder}/nosuch`, "a")).toThrow(
      expect.objectContaining({ code: "not-found", reason: `there is none in ${folder}/nosuch` }),
    );
  });
});

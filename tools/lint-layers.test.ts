import { withFiles } from "../test/support/file-tree.ts";
import { findCycles, lintLayers } from "./lint-layers.ts";

const lint = (files: Record<string, string>) => withFiles(files, lintLayers);

test.each([
  [
    "a library of a higher layer",
    "lib/cni/a.ts",
    'import { x } from "../linux/b.ts";',
    "may not import lib/linux/b.ts",
  ],
  ["another plugin", "plugins/main/a/m.ts", 'import { x } from "../b/m.ts";', "another plugin's"],
  [
    "the kernel from the server",
    "ipam-server/a.ts",
    'import "../lib/linux/b.ts";',
    "may not import lib/linux",
  ],
  ["an FFI outside the door", "lib/host/a.ts", 'import { dlopen } from "bun:ffi";', "door to the kernel"],
  ["a package on a plugin's path", "lib/netlink/a.ts", 'import x from "fastify";', "imports no package"],
  [
    "a built-in module on a plugin's path",
    "lib/addr/a.ts",
    'import fs from "node:fs";',
    "imports no package",
  ],
  ["a lazy import too", "lib/cni/a.ts", 'const x = await import("../host/b.ts");', "may not import lib/host"],
  [
    "the server's start from the agent",
    "agent/a.ts",
    'import "../ipam-server/start.ts";',
    "may not import ipam-server/start.ts",
  ],
  [
    "a room of the server from the command line",
    "cli/a.ts",
    'import "../ipam-server/state/b.ts";',
    "may not",
  ],
  ["a plugin from the agent", "agent/a.ts", 'import "../plugins/main/b/c.ts";', "may not import plugins"],
  ["test code", "lib/addr/a.ts", 'import { x } from "../../test/b.ts";', "test code"],
  ["a higher layer from layer 0", "lib/a.ts", 'export { x } from "./cni/b.ts";', "layer 0"],
])("%s is refused", (...[_name, file, text, problem]) => {
  expect(lint({ [file]: text })).toEqual([expect.stringContaining(problem)]);
});

test.each([
  ["types of a neighbour that is named for it", "lib/rpc/a.ts", 'import type { x } from "../ipam/api.ts";'],
  ["addresses from anywhere", "cli/a.ts", 'import { x } from "../lib/addr/b.ts";'],
  ["packages in the server", "ipam-server/a.ts", 'import x from "fastify";'],
  [
    "the server, lazily, from the command line",
    "cli/a.ts",
    'const x = await import("../ipam-server/main.ts");',
  ],
  ["the agent, lazily, from the command line", "cli/a.ts", 'const x = await import("../agent/main.ts");'],
  ["fronts of the server from the agent", "agent/a.ts", 'import { x } from "../ipam-server/fronts/b.ts";'],
  ["the server's store from the agent", "agent/a.ts", 'import "../ipam-server/store/sqlite/b.ts";'],
  ["the kernel from the agent", "agent/a.ts", 'import { x } from "../lib/host/b.ts";'],
])("%s are allowed", (_name, file, text) => {
  expect(lint({ [file]: text })).toEqual([]);
});

test.each([
  [
    "beside each other",
    { "agent/a/one.ts": 'import "../b/two.ts";', "agent/b/two.ts": "" },
    { "agent/b/three.ts": 'import type { x } from "../a/four.ts";', "agent/a/four.ts": "" },
    "agent/a -> agent/b -> agent/a",
  ],
  [
    "in each other",
    { "agent/one.ts": 'const x = await import("./b/two.ts");', "agent/b/two.ts": "" },
    { "agent/b/three.ts": 'export { x } from "../four.ts";', "agent/four.ts": "" },
    "agent -> agent/b -> agent",
  ],
])("folders %s are imported one way only", (...[_name, there, back, circle]) => {
  expect(lint({ ...there })).toEqual([]);
  expect(lint({ ...back })).toEqual([]);
  expect(lint({ ...there, ...back })).toEqual([`circle of folders: ${circle}`]);
});

test("a cycle is named with its path", () => {
  expect(lint({ "lib/addr/a.ts": 'import "./b.ts";', "lib/addr/b.ts": 'import "./a.ts";' })).toEqual([
    "import cycle: lib/addr/a.ts -> lib/addr/b.ts -> lib/addr/a.ts",
  ]);
  expect(
    findCycles(
      new Map([
        ["a", ["b"]],
        ["b", []],
      ]),
    ),
  ).toEqual([]);
});

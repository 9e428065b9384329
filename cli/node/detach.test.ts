import { type ErrorCode, FairleadError } from "../../lib/errors.ts";
import { ResultCache } from "../../lib/runtime/cache.ts";
import { TemporaryDirectory } from "../../test/support/ipam/ipam-fronts.ts";
import { containersOnNetwork, detach } from "./detach.ts";
import type { Node } from "./node.ts";

const directory = new TemporaryDirectory();
afterAll(() => directory.remove());

/** A node whose cache knows nobody, and whose service answers so. */
function nodeOf(listEndpoints: () => readonly object[]): Node {
  const runDirectory = directory.file("run");
  return {
    paths: { runDirectory, confDirectory: directory.file("net.d") },
    cache: new ResultCache(directory.file("cache")),
    service: { listEndpoints },
  } as unknown as Node;
}

const failing = (code: ErrorCode): Node =>
  nodeOf(() => {
    throw new FairleadError({ code, operation: "list endpoints", reason: "it is so" });
  });

const container = { id: "c1", netns: null };
const leave = (node: Node) => () => detach(node, container, { networkName: "web" });

test.each(["unavailable", "not-found"] as const)("a service that is %s knows of no attachment", (code) => {
  expect(leave(failing(code))).toThrow("container c1 is not connected to network web");
});

test.each(["timeout", "internal"] as const)("any other failure is told as what it is: %s", (code) => {
  expect(leave(failing(code))).toThrow("it is so");
});

test("an interface that the container does not have on the network", () => {
  const node = nodeOf(() => []);
  expect(() => detach(node, container, { networkName: "web", ifname: "eth7" })).toThrow(
    "container c1 is not connected to network web by eth7",
  );
});

test("containers that no runtime knows are found by name, and by the beginning of their ID", () => {
  const endpoints = [
    { containerId: "abcd", name: "web" },
    { containerId: "abef", name: "db" },
  ];
  const found = (reference: string) =>
    containersOnNetwork(
      nodeOf(() => endpoints),
      "web",
      reference,
    );
  expect([found("web"), found("ab"), found("x")]).toEqual([["abcd"], ["abcd", "abef"], []]);
  expect(containersOnNetwork(failing("unavailable"), "web", "web")).toEqual([]);
  expect(() => containersOnNetwork(failing("timeout"), "web", "web")).toThrow("it is so");
});

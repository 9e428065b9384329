import { mkdirSync, writeFileSync } from "node:fs";
import { FairleadError } from "../../lib/errors.ts";
import type { Network } from "../../lib/ipam/api.ts";
import { TemporaryDirectory } from "../../test/support/ipam/ipam-fronts.ts";
import { conflistIfThere, resolveNetwork } from "./networks.ts";
import type { Node } from "./node.ts";

const directory = new TemporaryDirectory();
const confDirectory = directory.file("net.d");
mkdirSync(confDirectory);
writeFileSync(`${confDirectory}/10-web.conflist`, JSON.stringify({ name: "web", plugins: [{ type: "p" }] }));
writeFileSync(`${confDirectory}/20-broken.conflist`, "{");
afterAll(() => directory.remove());

const node = (findNetwork: () => Network | null, folder = confDirectory) =>
  ({ paths: { confDirectory: folder }, service: { findNetwork } }) as unknown as Node;
const nothing = node(() => null);
const failing = (code: "unavailable" | "timeout" | "invalid-config") =>
  node(() => {
    throw new FairleadError({ code, operation: "read network", reason: "it is so" });
  });

test("a conflist is there, or it is not; a directory that cannot be read is an error", () => {
  expect(conflistIfThere(nothing, "web")?.name).toBe("web");
  expect(conflistIfThere(nothing, "db")).toBeNull();
  const notDirectory = node(() => null, `${confDirectory}/10-web.conflist`);
  expect(() => conflistIfThere(notDirectory, "web")).toThrow(
    expect.objectContaining({ errnoName: "ENOTDIR" }),
  );
});

test("a network is the service's, or a conflist's while the service is away or does not know it", () => {
  const known = { name: "web", id: "ab" } as Network;
  expect(
    resolveNetwork(
      node(() => known),
      "ab",
    ),
  ).toEqual({ name: "web", network: known });
  for (const one of [nothing, failing("unavailable"), failing("timeout")])
    expect(resolveNetwork(one, "web")).toEqual({ name: "web", network: null });
  expect(() => resolveNetwork(nothing, "db")).toThrow("network db not found");
  expect(() => resolveNetwork(failing("unavailable"), "db")).toThrow("it is so");
  expect(() => resolveNetwork(failing("invalid-config"), "web")).toThrow("it is so");
});

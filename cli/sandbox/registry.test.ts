import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { type SandboxRecord, SandboxRegistry } from "./registry.ts";

const run = mkdtempSync(`${tmpdir()}/fairlead-registry-`);
afterAll(() => rmSync(run, { recursive: true }));

const sandbox = (name: string, digit: string): SandboxRecord => ({
  name,
  id: digit.repeat(64),
  netns: `/run/netns/${name}`,
  mode: "own",
  hostname: name,
  createdAt: "2026-01-01T00:00:00.000Z",
  nameservers: [],
});

test("of two sandboxes of one name the second is not added, and leaves nothing", () => {
  const registry = new SandboxRegistry(run);
  const [first, second] = [sandbox("web", "a"), sandbox("web", "b")];
  expect(registry.add(first)).toBe(true);
  expect(registry.add(second)).toBe(false);
  expect(registry.list()).toEqual([first]);
  expect(readdirSync(`${run}/sandboxes`).sort()).toEqual([".lock", first.id, "web.json"]);
  registry.remove(first);
  expect(readdirSync(`${run}/sandboxes`)).toEqual([".lock"]);
});

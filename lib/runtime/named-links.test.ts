import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  parseContainerLink,
  readContainerLinks,
  removeContainerLinks,
  writeContainerLinks,
} from "./named-links.ts";

let runDir: string;
beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), "fl-links-"));
});
afterEach(() => rmSync(runDir, { recursive: true, force: true }));

const owner = () => ({ runDir, containerId: "c1" });

test("links are written, read, replaced and removed", () => {
  expect(readContainerLinks(owner())).toEqual([]);
  writeContainerLinks(owner(), ["db:database", "cache"]);
  expect(readContainerLinks(owner())).toEqual([
    { target: "db", alias: "database" },
    { target: "cache", alias: "cache" },
  ]);
  const file = join(runDir, "links", "c1.json");
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ links: ["db:database", "cache:cache"] });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  writeContainerLinks(owner(), []);
  expect(readContainerLinks(owner())).toEqual([]);
  writeContainerLinks(owner(), ["db:d"]);
  removeContainerLinks(owner());
  removeContainerLinks(owner());
  expect(readContainerLinks(owner())).toEqual([]);
});

test.each(["", ":a", "a:", "a:b:c", "a b:c", "a/../b:c"])("%j is no link", (text) => {
  expect(() => parseContainerLink(text)).toThrow(expect.objectContaining({ code: "invalid-config" }));
});

test("a damaged file is an error that names it", () => {
  writeContainerLinks(owner(), ["db:d"]);
  const file = join(runDir, "links", "c1.json");
  for (const content of ["{", "{}", '{"links":["a:b:c"]}', '{"links":[1]}']) {
    writeFileSync(file, content);
    expect(() => readContainerLinks(owner())).toThrow(file);
  }
});

test("65 links are too many", () => {
  const links = Array.from({ length: 65 }, (_, index) => `c${index}:d`);
  expect(() => writeContainerLinks(owner(), links)).toThrow(/at most 64/);
});

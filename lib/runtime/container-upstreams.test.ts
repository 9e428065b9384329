import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  readContainerUpstreams,
  removeContainerUpstreams,
  tryParseContainerUpstream,
  writeContainerUpstreams,
} from "./container-upstreams.ts";

let runDir: string;
beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), "fl-upstreams-"));
});
afterEach(() => rmSync(runDir, { recursive: true, force: true }));

const owner = () => ({ runDir, containerId: "c1" });
const file = () => join(runDir, "upstreams", "c1.json");

test("name servers are written, read, replaced and removed; the first three count", () => {
  expect(readContainerUpstreams(owner())).toEqual([]);
  writeContainerUpstreams(owner(), ["192.0.2.53", "2001:db8::53#5353", "127.0.0.53", "192.0.2.4"]);
  expect(readContainerUpstreams(owner())).toEqual([
    { address: "192.0.2.53", port: 53 },
    { address: "2001:db8::53", port: 5353 },
    { address: "127.0.0.53", port: 53 },
  ]);
  const content = { upstreams: ["192.0.2.53", "2001:db8::53#5353", "127.0.0.53"] };
  expect(JSON.parse(readFileSync(file(), "utf8"))).toEqual(content);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  writeContainerUpstreams(owner(), []);
  expect(readContainerUpstreams(owner())).toEqual([]);
  writeContainerUpstreams(owner(), ["192.0.2.53"]);
  removeContainerUpstreams(owner());
  removeContainerUpstreams(owner());
  expect(readContainerUpstreams(owner())).toEqual([]);
});

test.each([
  "",
  "db",
  "10.0.0.300",
  "10.0.0.1#",
  "10.0.0.1#0",
  "10.0.0.1#65536",
  "10.0.0.1#53#54",
  "10.0.0.1:53",
  "10.0.0.1\n",
])("%j is no name server", (text) => {
  expect(tryParseContainerUpstream(text)).toBeNull();
  expect(() => writeContainerUpstreams(owner(), [text])).toThrow(
    expect.objectContaining({ code: "invalid-config" }),
  );
  expect(readContainerUpstreams(owner())).toEqual([]);
});

test("a damaged file is an error that names it; of a long one the first three count", () => {
  writeContainerUpstreams(owner(), ["192.0.2.53"]);
  for (const content of ["{", "{}", '{"upstreams":["db"]}', '{"upstreams":[null]}']) {
    writeFileSync(file(), content);
    expect(() => readContainerUpstreams(owner())).toThrow(file());
  }
  const upstreams = Array.from({ length: 5 }, (_, index) => `192.0.2.${index}`);
  writeFileSync(file(), JSON.stringify({ upstreams }));
  expect(readContainerUpstreams(owner())).toHaveLength(3);
});

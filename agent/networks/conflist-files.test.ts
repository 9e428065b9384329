import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TemporaryDirectory } from "../../test/support/ipam/ipam-fronts.ts";
import { ConflistFiles } from "./conflist-files.ts";

const temporary = new TemporaryDirectory();
afterAll(() => temporary.remove());

let made = 0;
let directory: string;
let files: ConflistFiles;
beforeEach(() => {
  directory = temporary.file(`net.d-${made++}`);
  files = new ConflistFiles(directory);
});

const textOf = (name: string, networkId: string) =>
  JSON.stringify({ name, fairlead: { networkId }, plugins: [] });
const WEB = { fileName: "85-fairlead-web.conflist", text: textOf("web", "1") };

function put(name: string, text: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, name), text);
}

function ensureWeb(): boolean {
  return files.ensure(WEB, "web", files.list());
}

test("a missing directory is made, the file is readable for all, and written once", () => {
  expect(ensureWeb()).toBe(true);
  const path = join(directory, WEB.fileName);
  expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual([WEB.text, 0o644]);
  const { ino } = statSync(path);
  expect(ensureWeb()).toBe(false);
  expect(statSync(path).ino).toBe(ino);
});

test("an edited file of ours is written again, also one of an earlier network of that name", () => {
  for (const text of [textOf("web", "1").replace("[]", "[{}]"), textOf("web", "0")]) {
    put(WEB.fileName, text);
    expect(ensureWeb()).toBe(true);
    expect(readFileSync(join(directory, WEB.fileName), "utf8")).toBe(WEB.text);
  }
});

test("copies of ours go, files of other networks stay", () => {
  ensureWeb();
  put("10-copy.conflist", WEB.text);
  put("85-fairlead-db.conflist", textOf("db", "2"));
  put("README", "not a configuration");
  expect([ensureWeb(), ensureWeb()]).toEqual([true, false]);
  expect(readdirSync(directory).sort()).toEqual(["85-fairlead-db.conflist", WEB.fileName, "README"].sort());
});

test.each([
  ["a conflist of the same network", "10-mine.conflist", '{"name":"web","plugins":[]}'],
  ["a plugin configuration of the same network", "10-mine.conf", '{"name":"web","type":"bridge"}'],
  ["a file of our name", WEB.fileName, '{"name":"other","plugins":[]}'],
  ["a file of our name that cannot be read", WEB.fileName, "{"],
  ["one whose mark is no text", "10-mine.conflist", '{"name":"web","fairlead":{"networkId":7}}'],
])("%s is somebody else's: refused, and left as it is", (_what, name, text) => {
  put(name, text);
  expect(ensureWeb).toThrow(
    expect.objectContaining({ code: "already-exists", message: expect.stringContaining(name) }),
  );
  expect(readFileSync(join(directory, name), "utf8")).toBe(text);
  expect(readdirSync(directory)).toEqual([name]);
  files.remove(files.list());
  expect(readdirSync(directory)).toEqual([name]);
});

test("what was replaced by somebody else's file since the list was made is not removed", () => {
  ensureWeb();
  const listed = files.list();
  put(WEB.fileName, '{"name":"web"}');
  files.remove(listed);
  expect(readdirSync(directory)).toEqual([WEB.fileName]);
});

test("what was somebody else's when the list was made is not removed, whosever it is now", () => {
  put(WEB.fileName, '{"name":"web"}');
  const listed = files.list();
  put(WEB.fileName, WEB.text);
  files.remove(listed);
  expect(readdirSync(directory)).toEqual([WEB.fileName]);
});

test("files are listed by their names, and others than configurations not at all", () => {
  const names = Array.from({ length: 40 }, (_, at) => `${(at * 17) % 40}`.padStart(2, "0"));
  for (const name of names) put(`${name}.${["conf", "json", "conflist", "txt"][Number(name) % 4]}`, WEB.text);
  const listed = files.list().map(({ fileName }) => fileName);
  expect(listed).toHaveLength(30);
  expect(listed).toEqual([...listed].sort());
});

test("nothing to remove is nothing done: there need not be a directory", () => {
  files.remove([]);
  expect(() => readdirSync(directory)).toThrow("ENOENT");
});

test("a file too large for a conflist is nobody's of ours", () => {
  put(WEB.fileName, WEB.text + " ".repeat(1024 * 1024));
  expect(files.list()).toMatchObject([{ fileName: WEB.fileName, networkId: null }]);
});

test("removal is for good and repeatable", () => {
  ensureWeb();
  const listed = files.list();
  files.remove(listed);
  files.remove(listed);
  expect(files.list()).toEqual([]);
});

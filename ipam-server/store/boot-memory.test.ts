import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BootMemory, openBootFile } from "./boot-memory.ts";

const SEEN = { logId: "a".repeat(32), revision: 7, recovering: false };

let directory: string;
let path: string;
const errors: unknown[] = [];
const opened: BootMemory[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-boot-"));
  path = join(directory, "run", "seen");
  errors.length = 0;
});
afterEach(() => {
  for (const memory of opened.splice(0)) memory.close();
  rmSync(directory, { recursive: true });
});

function open(bootId = "one"): BootMemory {
  const memory = openBootFile({ path, bootId, onError: (error) => errors.push(error) });
  opened.push(memory);
  return memory;
}

test("what was written last is read in the same boot, and nothing of it in another", () => {
  const first = open();
  expect(first.read()).toBeNull();
  first.write({ ...SEEN, revision: 123_456_789, recovering: true });
  first.write(SEEN);
  expect(open().read()).toEqual(SEEN);
  expect(open("two").read()).toBeNull();
  expect(readFileSync(path)).toHaveLength(256);
});

test.each([
  ["cut", '{"bootId":"one","logId":"a'],
  ["of another shape", '{"bootId":"one","logId":7}'],
  ["empty", ""],
  ["without a name of the log", '{"bootId":"one","revision":7,"recovering":false}'],
  ["with a revision in words", JSON.stringify({ ...SEEN, bootId: "one", revision: "7" })],
  ["without the word about recovery", JSON.stringify({ ...SEEN, bootId: "one", recovering: undefined })],
])("a file that is %s is no reason to believe the store", (_name, text) => {
  open().write(SEEN);
  writeFileSync(path, text);
  expect(open().read()).toEqual({ logId: "", revision: 0, recovering: true });
});

test("a place where nothing can be written is told once, and disturbs nobody", () => {
  const memory = open();
  rmSync(join(directory, "run"), { recursive: true });
  memory.write(SEEN);
  memory.write(SEEN);
  expect(errors).toHaveLength(1);
});

/** VERSION is answered by the front alone, and must be what the plugin would say. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import fc from "fast-check";
import { runPlugin } from "../../lib/cni/run-plugin.ts";
import { CNI_VERSIONS } from "../../lib/cni/versions.ts";
import { FAIRLEAD_DIRECTORY, requireFairlead } from "../support/lab/lab-plugins.ts";

jest.setTimeout(120_000);

beforeAll(() => requireFairlead());

/** What the plugin itself answers to this on stdin. */
function expected(stdin: Uint8Array): string {
  const written: Uint8Array[] = [];
  const io = {
    env: { CNI_COMMAND: "VERSION" },
    readStdin: () => stdin,
    writeStdout: (bytes: Uint8Array) => void written.push(bytes.slice()),
    writeStderr: () => {},
    identifyNetns: () => "absent" as const,
  };
  const never = (): never => {
    throw new Error("not reached");
  };
  const handlers = { add: never, del: never, check: never, gc: never, status: never };
  runPlugin({ name: "x", version: "0", supportedVersions: CNI_VERSIONS, handlers, io });
  return Buffer.concat(written).toString();
}

function answered(stdin: Uint8Array): string {
  const file = join(FAIRLEAD_DIRECTORY, "fairlead-bridge");
  return spawnSync(file, [], { env: { CNI_COMMAND: "VERSION" }, input: stdin }).stdout.toString();
}

const keys = fc.constantFrom("cniVersion", "CNIVersion", "cniversion", "name", "ipam", "a\\u0062", 'q"', "é");
const leaves = fc.oneof(
  fc.constantFrom("1.0.0", "0.3.1", "9.9.9", "", "1.0.0\n", 'x"y\\', "Zürich", "\u007f"),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
);
const objects = fc.dictionary(keys, fc.oneof(leaves, fc.dictionary(keys, leaves), fc.array(leaves)));
const space = fc.constantFrom("", " ", "\n\t", "\r\n");
const texts = fc.tuple(space, objects, space).map(([before, value, after]) => {
  return `${before}${JSON.stringify(value, null, before)}${after}`;
});
/** Damage at a few places: bytes replaced, cut off or doubled. */
const damaged = fc
  .tuple(texts, fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'{}[]",:\\01-.eut\u0000ÿ '), fc.nat(3))))
  .map(([text, edits]) =>
    edits.reduce((edited, [at, character, length]) => {
      const place = at % (edited.length + 1);
      return edited.slice(0, place) + character + edited.slice(place + length);
    }, text),
  );

test("is what the plugin itself would answer, whatever is on stdin", () => {
  const inputs = fc
    .oneof(texts, damaged)
    .chain((text) => fc.constantFrom(Buffer.from(text, "utf8"), Buffer.from(text, "latin1")));
  fc.assert(
    fc.property(inputs, (stdin) => {
      expect(answered(stdin)).toBe(expected(stdin));
    }),
    { numRuns: 400 },
  );
});

test.each<[string, string]>([
  ["twice", '{"cniVersion":"0.3.1","cniVersion":"1.0.0"}'],
  ["once in another spelling", '{"cniVersion":"0.3.1","CNIVERSION":"1.0.0"}'],
  ["behind a byte order mark", '\ufeff{"cniVersion":"0.3.1"}'],
  ["in 5 MB", `{"pad":"${"x".repeat(5_000_000)}","cniVersion":"0.3.1"}`],
  ["in 100 kB", `{"pad":"${"x".repeat(100_000)}","cniVersion":"0.3.1"}`],
  ["below 99 levels", `{"cniVersion":"0.3.1","a":${"[".repeat(99)}${"]".repeat(99)}}`],
  ["below 100 levels", `{"cniVersion":"0.3.1","a":${"[".repeat(100)}${"]".repeat(100)}}`],
])("named %s", (_, text) => {
  expect(answered(Buffer.from(text))).toBe(expected(Buffer.from(text)));
});

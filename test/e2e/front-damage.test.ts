/**
 * Executables whose runtime cannot start: the front says so, as an error object to who called a plugin, on stderr to who called
 * the command line. And one that was stripped, which works.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  linkSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ERROR_TABLE } from "../../lib/errors.ts";
import { FAIRLEAD_DIRECTORY, requireFairlead } from "../support/lab/lab-plugins.ts";
import { requireTools } from "../support/lab/lab-process.ts";

jest.setTimeout(120_000);

const PLUGIN = "fairlead-static";
const CONFIG = JSON.stringify({
  ...{ cniVersion: "0.4.0", name: "net", type: PLUGIN },
  ipam: { type: PLUGIN, socket: "/nonexistent/fairlead.sock" },
});
const ATTACHMENT = { CNI_CONTAINERID: "c1", CNI_NETNS: "/nonexistent", CNI_IFNAME: "eth0" };
/** Of an ADD that came to the plugin itself. */
const NO_NETNS = { cniVersion: "0.4.0", code: 8 };

let directory: string;

beforeAll(() => {
  requireFairlead();
  requireTools("strip", "chroot");
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "front-damage-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A copy of the executable, under the command line's name and a plugin's. */
function copy(): string {
  const file = join(directory, "fairlead");
  copyFileSync(join(FAIRLEAD_DIRECTORY, "fairlead"), file);
  linkSync(file, join(directory, PLUGIN));
  return file;
}

function run(argv: readonly string[], verb: string) {
  const [file = "", ...args] = argv;
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...ATTACHMENT, CNI_COMMAND: verb };
  const { status, stdout, stderr } = spawnSync(file, args, { env, input: CONFIG, encoding: "utf8" });
  return { status, stdout, stderr };
}

/** What a failed ADD says on stdout. Nothing else may be said. */
function addError(...argv: readonly string[]): unknown {
  const { status, stdout, stderr } = run(argv, "ADD");
  expect([status, stderr]).toEqual([1, ""]);
  return JSON.parse(stdout);
}

const DAMAGED = "start runtime of fairlead-static: its executable is truncated or damaged";
const DAMAGED_ERROR = {
  ...{ cniVersion: "0.4.0", code: ERROR_TABLE["io-failure"].cni, msg: DAMAGED },
  details: expect.stringContaining("install it anew"),
};

function expectDamage(): void {
  expect(addError(join(directory, PLUGIN))).toEqual(DAMAGED_ERROR);
  const { status, stdout, stderr } = run([join(directory, "fairlead"), "--version"], "");
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(
    /^fairlead: start runtime: its executable is truncated or damaged; install it anew.*\n$/,
  );
}

/** Bytes of symbols and names stand behind what is loaded, and are not missed. */
const SYMBOL_BYTES = 200_000;

test("an executable that lost its end, wherever, says so", () => {
  const file = copy();
  const { size } = statSync(file);
  for (const left of [size - SYMBOL_BYTES, size >> 1, 1_000_000, 0x3_0000]) {
    truncateSync(file, left);
    expectDamage();
  }
});

test("an executable of its full size whose end was never written says so", () => {
  const file = copy();
  const { size } = statSync(file);
  truncateSync(file, size >> 1);
  truncateSync(file, size);
  expectDamage();
});

test("an executable with another payload says so", () => {
  const file = copy();
  const payload = execFileSync("readelf", ["-SW", file], { encoding: "latin1" }).match(
    /\.bun +PROGBITS +[0-9a-f]+ ([0-9a-f]+)/,
  );
  const fd = openSync(file, "r+");
  writeSync(fd, new Uint8Array(8), 0, 8, Number.parseInt(payload?.[1] ?? "", 16));
  closeSync(fd);
  expectDamage();
});

test("VERSION needs no runtime", () => {
  const file = copy();
  truncateSync(file, statSync(file).size >> 1);
  const { status, stdout } = run([join(directory, PLUGIN)], "VERSION");
  expect([status, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ cniVersion: "0.4.0" })]);
});

test.each(["--strip-all", "--strip-debug"])("an executable after strip %s is what it was", (option) => {
  const file = copy();
  const before = run([file, "--version"], "").stdout;
  execFileSync("strip", [option, file]);
  expect(statSync(file).size).toBeLessThan(statSync(join(FAIRLEAD_DIRECTORY, "fairlead")).size);
  rmSync(join(directory, PLUGIN));
  linkSync(file, join(directory, PLUGIN));
  expect(before).toMatch(/^fairlead /);
  expect(run([file, "--version"], "")).toEqual({ status: 0, stdout: before, stderr: "" });
  expect(addError(join(directory, PLUGIN))).toMatchObject(NO_NETNS);
});

test("a host without the dynamic linker is told of", () => {
  copy();
  expect(addError("chroot", directory, `/${PLUGIN}`)).toEqual({
    cniVersion: "0.4.0",
    code: ERROR_TABLE["io-failure"].cni,
    msg: expect.stringMatching(/^start runtime of fairlead-static: cannot open \/lib.*\/ld-linux/),
    details: expect.stringContaining("install the C library"),
  });
});

describe("address space", () => {
  const TOO_LITTLE_KB = 1_000_000;
  const limited = (kind: string, name: string): string[] => {
    return ["sh", "-c", `ulimit ${kind} -v ${TOO_LITTLE_KB}; exec "$0" "$@"`, join(FAIRLEAD_DIRECTORY, name)];
  };

  test("a soft limit is raised", () => {
    expect(addError(...limited("-S", PLUGIN))).toMatchObject(NO_NETNS);
  });

  test("a hard limit is named", () => {
    expect(addError(...limited("", PLUGIN))).toEqual({
      cniVersion: "0.4.0",
      code: ERROR_TABLE["kernel-refused"].cni,
      msg: expect.stringContaining(
        `its address space is limited to ${TOO_LITTLE_KB} kB (RLIMIT_AS), and it needs `,
      ),
      details: expect.stringContaining("LimitAS="),
    });
    const { status, stdout, stderr } = run([...limited("", "fairlead"), "--version"], "");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^fairlead: start runtime: its address space is limited to 1000000 kB \(RLIMIT_AS\)/,
    );
  });
});

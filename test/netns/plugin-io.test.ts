/** What plugins/io.ts gives the plugins, against the system: namespaces and delegates that are real processes. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRequestConfig } from "../../lib/cni/config.ts";
import { type Delegation, delegateAdd, delegateDel, findPlugin } from "../../lib/cni/delegate.ts";
import { CNI_VERSIONS } from "../../lib/cni/versions.ts";
import { pluginIo, processExec } from "../../plugins/io.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fl-io-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("identifyNetns", () => {
  const { identifyNetns } = pluginIo();
  const name = `fl-io-${process.pid}`;
  beforeAll(() => execFileSync("ip", ["netns", "add", name]));
  afterAll(() => execFileSync("ip", ["netns", "del", name]));

  test.each([
    [`/run/netns/${name}`, "other"],
    ["/proc/thread-self/ns/net", "own"],
    ["/run/netns/no-such", "absent"],
    ["/run/netns/no-such/below", "absent"],
  ])("%s is %s", (path, expected) => {
    expect(identifyNetns(path)).toBe(expected);
  });

  test.each([
    ["/etc/hostname", "regular file"],
    ["/run", "directory"],
    ["/dev/null", "character device"],
    ["/proc/self/ns/mnt", "mount"],
  ])("%s is a %s, and says so", (path, kind) => {
    expect(() => identifyNetns(path)).toThrow(
      expect.objectContaining({ code: "invalid-netns", message: expect.stringContaining(kind) }),
    );
  });
});

describe("processExec", () => {
  const STDIN = new TextEncoder().encode(`{ "name": "net1" }\n\u00e4`);

  function delegation(type: string, env: Record<string, string> = {}): Delegation {
    return {
      type,
      request: {
        config: readRequestConfig({ name: "net1", cniVersion: "1.0.0" }, STDIN, CNI_VERSIONS),
        environment: {
          verb: "ADD",
          containerId: "c1",
          netns: "/n",
          ifname: "eth0",
          args: "",
          path: [join(folder, "no-such"), folder],
          netnsOverride: false,
        },
        env,
        log: () => {},
      },
      exec: processExec,
    };
  }

  function script(type: string, ...lines: string[]): string {
    const file = join(folder, type);
    writeFileSync(file, ["#!/bin/sh", ...lines, ""].join("\n"));
    chmodSync(file, 0o755);
    return file;
  }

  test("runs a delegate with exactly our environment and stdin", () => {
    script(
      "scripted",
      `cat > ${folder}/stdin`,
      `tr '\\0' '\\n' < /proc/$$/environ > ${folder}/env`,
      `echo '{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.2/24"}]}'`,
    );
    const result = delegateAdd(delegation("scripted", { CNI_COMMAND: "STATUS", A: "b=c" }));
    expect(result.ips).toEqual([{ address: "10.0.0.2/24" }]);
    expect(readFileSync(join(folder, "stdin"))).toEqual(Buffer.from(STDIN));
    expect(readFileSync(join(folder, "env"), "utf8").trim().split("\n").sort()).toEqual([
      "A=b=c",
      "CNI_COMMAND=ADD",
    ]);
  });

  test("tells how a delegate ended", () => {
    script("failing", `echo '{"code":11,"msg":"full"}'`, "exit 3");
    expect(() => delegateDel(delegation("failing"))).toThrow("delegate to failing: full");
    script("silent", "exit 3");
    expect(() => delegateDel(delegation("silent"))).toThrow("exit status 3");
    script("killed", "kill -KILL $$");
    expect(() => delegateDel(delegation("killed"))).toThrow("signal SIGKILL");
  });

  test("a folder is no plugin", () => {
    mkdirSync(join(folder, "directory"));
    expect(() => findPlugin(delegation("directory"))).toThrow(
      expect.objectContaining({ code: "plugin-not-found" }),
    );
  });

  test("what cannot be executed is an error that says so", () => {
    chmodSync(script("not-executable"), 0o644);
    expect(() => delegateDel(delegation("not-executable"))).toThrow(/EACCES|cannot be executed/);
  });

  test("a delegate that is being installed is waited for", () => {
    // A copy of a program: a script would be opened by its interpreter, which nothing keeps from doing so.
    const file = join(folder, "installing");
    writeFileSync(file, readFileSync("/bin/true"));
    chmodSync(file, 0o755);
    const writer = openSync(file, "r+");
    const pauses: number[] = [];
    const sleepMs = (ms: number) => {
      pauses.push(ms);
      closeSync(writer);
    };
    delegateDel({ ...delegation("installing"), exec: { ...processExec, sleepMs } });
    expect(pauses).toEqual([1000]);
  });
});

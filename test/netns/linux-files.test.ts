import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  listDirectory,
  makeDirectories,
  pathExists,
  readFile,
  readFileIfExists,
  readTextFile,
  removeAbandonedTemporaries,
  removeDirectory,
  removeFile,
  writeFileDurable,
} from "../../lib/linux/files/files.ts";
import { LockFile } from "../../lib/linux/files/lock-file.ts";
import { RangeLock } from "../../lib/linux/files/range-lock.ts";
import { readAll, writeAll } from "../../lib/linux/files/stdio.ts";
import { execFile } from "../../lib/linux/processes/exec.ts";
import { bootId, hostname } from "../../lib/linux/processes/machine.ts";
import { syscallTrace } from "../support/plugins/syscall-trace.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const errorWith = (parts: object) => expect.objectContaining(parts);
let directory: string;

beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "fl-files-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

describe("reading", () => {
  test("gives a whole file, however long", () => {
    const bytes = Uint8Array.from({ length: 300_001 }, (_, i) => (i * 7) & 255);
    fs.writeFileSync(join(directory, "f"), bytes);
    expect(Buffer.compare(readFile(join(directory, "f")), bytes)).toBe(0);
    fs.writeFileSync(join(directory, "f"), "");
    expect(readFile(join(directory, "f"))).toHaveLength(0);
  });

  test("refuses a file that is one byte too long, and takes one that is not", () => {
    fs.writeFileSync(join(directory, "f"), "x".repeat(100));
    expect(readFile(join(directory, "f"), { maxBytes: 100 })).toHaveLength(100);
    expect(() => readFile(join(directory, "f"), { maxBytes: 99 })).toThrow("there are more than 99 bytes");
  });

  test("tells a missing file from one that cannot be read", () => {
    expect(readFileIfExists(join(directory, "none"))).toBeNull();
    expect(() => readFile(join(directory, "none"))).toThrow(
      errorWith({ code: "not-found", errnoName: "ENOENT" }),
    );
    expect(() => readFileIfExists(directory)).toThrow(errorWith({ code: "io-failure", errnoName: "EISDIR" }));
    expect(() => readFileIfExists(directory)).toThrow(`read ${directory}: Is a directory (EISDIR)`);
  });

  test("a name with a NUL is refused, not cut short", () => {
    expect(() => readFile("/etc/passwd\0.txt")).toThrow("holds a NUL");
  });
});

describe("writeFileDurable", () => {
  test("replaces content and mode and leaves nothing else", () => {
    const path = join(directory, "f");
    writeFileDurable(path, utf8("old"), 0o644);
    writeFileDurable(path, utf8("newer"));
    expect(fs.readFileSync(path, "utf8")).toBe("newer");
    expect(fs.statSync(path).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(directory)).toEqual(["f"]);
  });

  test("leaves the old content and no temporary when it fails", () => {
    const path = join(directory, "sub");
    fs.mkdirSync(join(path, "below"), { recursive: true });
    expect(() => writeFileDurable(path, utf8("x"))).toThrow(errorWith({ syscall: "rename" }));
    expect(fs.readdirSync(directory)).toEqual(["sub"]);
    expect(() => writeFileDurable(join(directory, "none", "f"), utf8("x"))).toThrow(
      errorWith({ errnoName: "ENOENT" }),
    );
  });

  test("steps over left-overs of a crash, which a listing does not show", () => {
    fs.writeFileSync(join(directory, `.fairlead-tmp-${process.pid}-0`), "left over");
    writeFileDurable(join(directory, "f"), utf8("x"));
    expect(listDirectory(directory)).toEqual(["f"]);
  });

  test("left-overs are removed when their process is gone", () => {
    const { pid } = spawnSync("true");
    for (const owner of [pid, process.pid, process.ppid]) {
      fs.writeFileSync(join(directory, `.fairlead-tmp-${owner}-0`), "left over");
    }
    fs.writeFileSync(join(directory, "f"), "x");
    removeAbandonedTemporaries(directory);
    const kept = [process.pid, process.ppid].map((owner) => `.fairlead-tmp-${owner}-0`);
    expect(fs.readdirSync(directory).sort()).toEqual([...kept, "f"].sort());
  });

  test("has content and name on the disk, in this order, before it returns", () => {
    const script = `
      const { writeFileDurable } = require(${JSON.stringify(join(__dirname, "../../lib/linux/files/files.ts"))});
      writeFileDurable(${JSON.stringify(join(directory, "f"))}, new Uint8Array([1]));`;
    const calls = syscallTrace(["write", "fsync", "rename"], script, directory);
    const steps = calls.map((call) => call.replace(/\(.*/, ""));
    expect(steps.slice(steps.lastIndexOf("write"))).toEqual(["write", "fsync", "rename", "fsync"]);
  });
});

describe("directories", () => {
  test("are made with those above, any number of times", () => {
    const path = join(directory, "a", "b", "c");
    makeDirectories(path);
    makeDirectories(path);
    expect(fs.statSync(path).isDirectory()).toBe(true);
    expect(pathExists(path)).toBe(true);
  });

  test("are not made in place of something else", () => {
    fs.writeFileSync(join(directory, "f"), "");
    expect(() => makeDirectories(join(directory, "f"))).toThrow("there is a regular file of that name");
    expect(() => makeDirectories(join(directory, "f", "below"))).toThrow(errorWith({ errnoName: "ENOTDIR" }));
  });

  test("removal says whether there was something", () => {
    fs.writeFileSync(join(directory, "f"), "");
    fs.mkdirSync(join(directory, "d"));
    expect([removeFile(join(directory, "f")), removeFile(join(directory, "f"))]).toEqual([true, false]);
    expect([removeDirectory(join(directory, "d")), removeDirectory(join(directory, "d"))]).toEqual([
      true,
      false,
    ]);
    expect(() => removeDirectory(`${directory}/..`)).toThrow(errorWith({ syscall: "rmdir" }));
  });
});

describe("RangeLock", () => {
  const object = "attachment c1";

  test("one holder for each byte, whatever the file's length, and none after it has ended", () => {
    const [a, b] = [1, 2].map(() => new RangeLock(join(directory, "locks"))) as [RangeLock, RangeLock];
    const far = 2n ** 62n - 1n;
    expect([a.tryLock(0n), a.tryLock(far), b.tryLock(1n)]).toEqual([true, true, true]);
    expect([b.tryLock(0n), b.tryLock(far), a.tryLock(1n)]).toEqual([false, false, false]);
    a.unlock(0n);
    expect([b.tryLock(0n), b.tryLock(far)]).toEqual([true, false]);
    a.close();
    b.lock({ offset: far, object, timeoutMs: 1_000 });
    b.close();
    expect(fs.statSync(join(directory, "locks")).size).toBe(0);
  });

  test("who waits in vain is told which process is in the way", () => {
    const [a, b] = [1, 2].map(() => new RangeLock(join(directory, "locks"))) as [RangeLock, RangeLock];
    a.lock({ offset: 7n, object, timeoutMs: 1_000 });
    expect(() => b.lock({ offset: 7n, object, timeoutMs: 20 })).toThrow(
      errorWith({
        code: "timeout",
        object,
        reason: `process ${process.pid} has worked on it for 20 ms`,
        details: { pid: process.pid },
      }),
    );
    a.close();
    b.close();
  });
});

describe("LockFile", () => {
  test("many share it, one has it alone", () => {
    const [a, b, c] = [1, 2, 3].map(() => new LockFile(join(directory, "lock")));
    expect([a?.tryLock("shared"), b?.tryLock("shared"), c?.tryLock("exclusive")]).toEqual([
      true,
      true,
      false,
    ]);
    a?.close();
    b?.close();
    expect(c?.tryLock("exclusive")).toBe(true);
    const late = new LockFile(join(directory, "lock"));
    expect(() => late.lock("shared", 30)).toThrow(errorWith({ code: "timeout" }));
    c?.close();
    late.lock("shared", 30);
    late.close();
    late.close();
  });

  test("waits for another process to let go, and its death lets go", async () => {
    const path = join(directory, "lock");
    const command = ["--no-fork", path, "sh", "-c", "echo held; exec sleep 30"];
    const holder = spawn("flock", command, { stdio: ["ignore", "pipe", "ignore"] });
    await once(holder.stdout, "data");
    const lock = new LockFile(path);
    expect(lock.tryLock("shared")).toBe(false);
    spawn("sh", ["-c", `sleep 0.2; kill -9 ${holder.pid}`]);
    lock.lock("exclusive", 10_000);
    lock.close();
  });
});

describe("readAll and writeAll", () => {
  test("a pipe is read to its end", () => {
    // The writer pauses: a reader that takes the first part for all would lose the rest.
    const fifo = join(directory, "fifo");
    execFileSync("mkfifo", [fifo]);
    spawn("sh", ["-c", `exec >${fifo}; printf one; sleep 0.1; head -c 200000 /dev/zero`]);
    const fd = fs.openSync(fifo, fs.constants.O_RDONLY);
    expect(readAll(fd, { maxBytes: 300_000 })).toHaveLength(200_003);
    fs.closeSync(fd);
  });

  test("a silent writer is a timeout, an endless one is too long", () => {
    const fifo = join(directory, "fifo");
    execFileSync("mkfifo", [fifo]);
    const fd = fs.openSync(fifo, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    expect(() => readAll(fd, { maxBytes: 10, timeoutMs: 50 })).toThrow(errorWith({ code: "timeout" }));
    fs.writeSync(fd, "0123456789X");
    expect(() => readAll(fd, { maxBytes: 10, timeoutMs: 1000 })).toThrow("more than 10 bytes");
    fs.closeSync(fd);
  });

  test("a full pipe that does not block is waited for", async () => {
    const fifo = join(directory, "fifo");
    execFileSync("mkfifo", [fifo]);
    const reader = spawn("sh", ["-c", `sleep 0.2; wc -c <${fifo} >${fifo}.count`]);
    const fd = fs.openSync(fifo, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    writeAll(fd, new Uint8Array(1_000_000), "fifo");
    fs.closeSync(fd);
    await once(reader, "exit");
    expect(fs.readFileSync(`${fifo}.count`, "utf8").trim()).toBe("1000000");
  });

  test("a reader that went away is EPIPE", () => {
    const fifo = join(directory, "fifo");
    execFileSync("mkfifo", [fifo]);
    const reader = fs.openSync(fifo, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const writer = fs.openSync(fifo, fs.constants.O_WRONLY);
    fs.closeSync(reader);
    expect(() => writeAll(writer, utf8("x"), "fifo")).toThrow(
      errorWith({ errnoName: "EPIPE", object: "fifo" }),
    );
    fs.closeSync(writer);
  });
});

describe("execFile", () => {
  const env = { PATH: "/usr/bin:/bin", MARK: "mine" };

  test("gives input, takes output and status, and hands on exactly the environment given", () => {
    const script = join(directory, "plugin");
    fs.writeFileSync(script, "#!/bin/sh\ncat\nenv | grep -v -e ^PWD= -e ^_= -e ^SHLVL= | sort\nexit 3\n", {
      mode: 0o755,
    });
    const { status, signal, stdout } = execFile({ path: script, env, stdin: utf8("input\n") });
    expect([status, signal]).toEqual([3, null]);
    expect(new TextDecoder().decode(stdout)).toBe("input\nMARK=mine\nPATH=/usr/bin:/bin\n");
  });

  test("a program that does not read a long input is no error", () => {
    const { status, stdout } = execFile({
      path: "/bin/echo",
      args: ["ok"],
      env,
      stdin: new Uint8Array(2_000_000),
    });
    expect([status, new TextDecoder().decode(stdout)]).toEqual([0, "ok\n"]);
  });

  test("a program that is killed says by which signal", () => {
    const { status, signal } = execFile({
      path: "/bin/sh",
      args: ["-c", "kill -9 $$"],
      env,
      stdin: utf8(""),
    });
    expect([status, signal]).toEqual([null, "SIGKILL"]);
  });

  test("a program that writes more than it may is an error", () => {
    const request = { path: "/usr/bin/head", args: ["-c", "100000", "/dev/zero"], env, stdin: utf8("") };
    expect(execFile({ ...request, maxStdoutBytes: 100_000 }).stdout).toHaveLength(100_000);
    expect(() => execFile({ ...request, maxStdoutBytes: 99_999 })).toThrow("it writes too much to stdout");
  });

  test("says why a program cannot be executed", () => {
    const run = (path: string) => execFile({ path, env, stdin: utf8("") });
    const plain = join(directory, "plain");
    fs.writeFileSync(plain, "#!/bin/sh\n", { mode: 0o644 });
    expect(() => run(join(directory, "none"))).toThrow(
      errorWith({ code: "plugin-not-found", details: { errnoName: "ENOENT" } }),
    );
    expect(() => run(plain)).toThrow(
      errorWith({ code: "plugin-not-found", details: { errnoName: "EACCES" } }),
    );
    const busy = join(directory, "busy");
    fs.copyFileSync("/bin/true", busy);
    const writer = fs.openSync(busy, "r+");
    expect(() => run(busy)).toThrow(errorWith({ code: "unavailable", details: { errnoName: "ETXTBSY" } }));
    fs.closeSync(writer);
    expect(run(busy).status).toBe(0);
  });
});

test("machine facts are those of the system's own tools", () => {
  expect(bootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(bootId()).toBe(readTextFile("/proc/sys/kernel/random/boot_id").trim());
  expect(hostname()).toBe(execFileSync("uname", ["-n"], { encoding: "utf8" }).trim());
});

/**
 * What every back end of `Libc` must do, as checks that run on any runtime: execute this file with Bun or with
 * `node --experimental-ffi`, as root. It prints one JSON line for each check.
 *
 * A process of its own, because jest gives its tests a `process` that cannot catch signals.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeFd, invoke } from "../../lib/linux/calls/errno.ts";
import { cString, libc } from "../../lib/linux/calls/ffi.ts";
import { SIGNATURES } from "../../lib/linux/calls/libc.ts";
import { listDirectory } from "../../lib/linux/files/files.ts";
import { statPath } from "../../lib/linux/files/stat.ts";
import { NETLINK_ROUTE, openNetlinkSocket } from "../../lib/linux/sockets/netlink-socket.ts";

// Source: errno(3), by way of include/uapi/asm-generic/errno-base.h.
const ENOENT = 2;
const EINTR = 4;
const EBADF = 9;
const EAGAIN = 11;
const EEXIST = 17;
const EINVAL = 22;

const O_RDWR_CREAT = 0o102;

export interface LibcCheck {
  readonly name: string;
  /** Throws when the back end fails the check. */
  run(directory: string): void | Promise<void>;
}

export const LIBC_CHECKS: readonly LibcCheck[] = [
  { name: "binds every function of the table", run: bindsEverything },
  { name: "passes arguments of every type and returns results", run: readsBackWhatItWrote },
  { name: "passes a view at its own offset", run: passesViews },
  { name: "gives -1 and errno for a failure", run: reportsErrno },
  { name: "keeps errno right while memory is collected", run: keepsErrno },
  { name: "takes null for a pointer and waits as long as asked", run: takesNull },
  { name: "reads file status as node:fs does", run: readsStatus },
  { name: "lists a directory of 3,000 names as node:fs does", run: listsDirectory },
  { name: "locks", run: locks },
  { name: "receives what the kernel answers", run: talksToKernel },
  { name: "goes on when a signal interrupts a call", run: survivesSignals },
];

function bindsEverything(): void {
  for (const name of Object.keys(SIGNATURES)) {
    assert.equal(typeof (libc() as unknown as Record<string, unknown>)[name], "function", name);
  }
}

function openForTest(path: string): number {
  const fd = invoke((c) => c.open(cString(path), O_RDWR_CREAT, 0o640));
  assert.ok(fd > 2, `open: ${fd}`);
  return fd;
}

function readsBackWhatItWrote(directory: string): void {
  const path = join(directory, "bytes");
  const fd = openForTest(path);
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251);
  assert.equal(libc().write(fd, bytes, bytes.length), bytes.length);
  assert.equal(libc().fsync(fd), 0);
  closeFd(fd);
  assert.deepEqual(new Uint8Array(readFileSync(path)), bytes);
  assert.equal(statSync(path).mode & 0o7777, 0o640 & ~process.umask());
}

function passesViews(directory: string): void {
  const path = join(directory, "view");
  writeFileSync(path, "0123456789");
  const fd = openForTest(path);
  const buffer = new Uint8Array(20).fill(46);
  assert.equal(libc().read(fd, buffer.subarray(5), 10), 10);
  closeFd(fd);
  assert.equal(new TextDecoder().decode(buffer), ".....0123456789.....");
}

function reportsErrno(directory: string): void {
  const missing = cString(join(directory, "missing"));
  assert.equal(libc().open(missing, 0, 0), -1);
  assert.equal(libc().errno(), ENOENT);
  assert.equal(libc().read(-1, new Uint8Array(1), 1), -1);
  assert.equal(libc().errno(), EBADF);
  assert.equal(
    invoke((c) => c.mkdir(cString(directory), 0)),
    -EEXIST,
  );
  assert.equal(
    invoke((c) => c.setns(0, 0x40000000)),
    -EINVAL,
  );
  assert.equal(
    invoke((c) => c.close(-1)),
    -EBADF,
  );
}

function keepsErrno(): void {
  const missing = cString("/nonexistent");
  let garbage: unknown[] = [];
  for (let i = 0; i < 50_000; i++) {
    const [expected, result] =
      i % 2 === 0 ? [-ENOENT, invoke((c) => c.unlink(missing))] : [-EBADF, invoke((c) => c.fsync(-1))];
    if (result !== expected) assert.fail(`call ${i}: ${result}, expected ${expected}`);
    garbage.push(new Uint8Array(512));
    if (garbage.length > 2_000) garbage = [];
  }
}

function takesNull(): void {
  const start = performance.now();
  assert.equal(libc().poll(null, 0, 30), 0);
  assert.ok(performance.now() - start >= 29);
}

function readsStatus(directory: string): void {
  for (const path of [directory, "/etc/passwd", "/dev/null", "/proc/self/ns/net"]) {
    const expected = statSync(path, { bigint: true });
    const status = statPath(path);
    assert.ok(status, path);
    assert.equal(status.mode, Number(expected.mode & 0o7777n), path);
    assert.equal(status.sizeBytes, Number(expected.size), path);
    assert.equal(status.uid, Number(expected.uid), path);
    assert.equal(status.identity.split(":")[2], String(expected.ino), path);
    assert.equal(status.kind === "directory", expected.isDirectory(), path);
    assert.equal(status.kind === "character device", expected.isCharacterDevice(), path);
    assert.equal(status.kind === "regular file", expected.isFile(), path);
  }
  assert.equal(statPath(join(directory, "missing")), null);
  assert.equal(statPath("/etc/passwd/below"), null);
}

function listsDirectory(directory: string): void {
  const folder = mkdtempSync(join(directory, "list-"));
  for (let i = 0; i < 3_000; i++) writeFileSync(join(folder, `näme-${i}`), "");
  assert.deepEqual(listDirectory(folder).sort(), readdirSync(folder).sort());
  assert.deepEqual(listDirectory(join(folder, "missing")), []);
}

function locks(directory: string): void {
  const [first, second] = [openForTest(join(directory, "lock")), openForTest(join(directory, "lock"))];
  const LOCK_EX_NB = 6;
  assert.equal(
    invoke((c) => c.flock(first, LOCK_EX_NB)),
    0,
  );
  assert.equal(
    invoke((c) => c.flock(second, LOCK_EX_NB)),
    -EAGAIN,
  );
  closeFd(first);
  assert.equal(
    invoke((c) => c.flock(second, LOCK_EX_NB)),
    0,
  );
  closeFd(second);
}

/** Asks for an acknowledgement of nothing: NLMSG_NOOP (1) with NLM_F_REQUEST | NLM_F_ACK. */
function talksToKernel(): void {
  const socket = openNetlinkSocket(NETLINK_ROUTE);
  const request = new Uint8Array(16);
  const view = new DataView(request.buffer);
  view.setUint32(0, request.length, true);
  view.setUint16(4, 1, true);
  view.setUint16(6, 0x5, true);
  view.setUint32(8, 4711, true);
  socket.send(request);
  const answer = socket.receive();
  const answerView = new DataView(answer.buffer, answer.byteOffset, answer.length);
  socket.close();
  assert.equal(answerView.getUint16(4, true), 2, "NLMSG_ERROR");
  assert.equal(answerView.getUint32(8, true), 4711);
  assert.equal(answerView.getInt32(16, true), 0);
}

/** A call that has a time limit is not restarted by the kernel after a signal: `invoke` has to do it. */
async function survivesSignals(): Promise<void> {
  let signals = 0;
  const onSignal = () => signals++;
  process.on("SIGUSR2", onSignal);
  const script = `for i in 1 2 3 4 5; do sleep 0.05; kill -USR2 ${process.pid}; done`;
  const sender = spawn("sh", ["-c", script]);
  await new Promise((resolve) => sender.once("spawn", resolve));
  const raw = interruptedPoll();
  const socket = openNetlinkSocket(NETLINK_ROUTE, { timeoutMs: 300 });
  assert.throws(() => socket.receive(), { code: "timeout" });
  socket.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.off("SIGUSR2", onSignal);
  assert.ok(signals > 0, "no signal came");
  assert.equal(raw, -EINTR, "a signal interrupts a bare call, so the check means something");
}

function interruptedPoll(): number {
  const result = libc().poll(null, 0, 2_000);
  return result < 0 ? -libc().errno() : result;
}

export interface LibcCheckResult {
  readonly name: string;
  /** Null when it passed. */
  readonly failure: string | null;
}

async function runAll(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "fl-libc-"));
  for (const check of LIBC_CHECKS) {
    const result: LibcCheckResult = { name: check.name, failure: await failureOf(check, directory) };
    console.log(JSON.stringify(result));
  }
  rmSync(directory, { recursive: true });
}

async function failureOf(check: LibcCheck, directory: string): Promise<string | null> {
  try {
    await check.run(directory);
    return null;
  } catch (error) {
    return String(error);
  }
}

if (process.argv[1]?.endsWith("contract/libc.ts")) void runAll();

import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { dirname } from "node:path";
import { TemporaryDirectory } from "../../test/support/ipam/ipam-fronts.ts";
import { bindPrivately } from "./unix-socket.ts";

const directory = new TemporaryDirectory();
const servers: Server[] = [];

afterAll(() => {
  for (const server of servers) server.close();
  directory.remove();
});

function listen(path: string): Promise<void> {
  const server = createServer((socket) => socket.on("error", () => {}).end("hello"));
  servers.push(server);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
}

function mode(path: string): number {
  return statSync(path).mode & 0o777;
}

test("socket and directory are private from the moment of binding", async () => {
  const path = directory.file("new/deep/s.sock");
  const before = process.umask();
  let modeAtBind = 0;
  await bindPrivately(path, async () => {
    await listen(path);
    modeAtBind = mode(path);
  });
  expect(modeAtBind).toBe(0o600);
  expect(mode(path)).toBe(0o600);
  expect(mode(dirname(path))).toBe(0o700);
  expect(process.umask()).toBe(before);
});

test("a directory that is there keeps its mode", async () => {
  const path = directory.file("shared/s.sock");
  mkdirSync(dirname(path), { mode: 0o755 });
  await bindPrivately(path, () => listen(path));
  expect(mode(dirname(path))).toBe(0o755);
});

test("a live socket is refused and goes on", async () => {
  const path = directory.file("live.sock");
  await listen(path);
  await expect(bindPrivately(path, () => listen(path))).rejects.toThrow("another process listens there");
  const text = await new Promise((resolve) => connect(path).on("data", (data) => resolve(String(data))));
  expect(text).toBe("hello");
});

test("the socket of a dead server is replaced", async () => {
  const path = directory.file("stale.sock");
  await leaveStaleSocket(path);
  expect(statSync(path).isSocket()).toBe(true);
  await bindPrivately(path, () => listen(path));
  const text = await new Promise((resolve) => connect(path).on("data", (data) => resolve(String(data))));
  expect(text).toBe("hello");
});

/** A socket file that nobody listens on, as `kill -9` leaves it. */
async function leaveStaleSocket(path: string): Promise<void> {
  const { spawn } = await import("node:child_process");
  const script =
    "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
  const child = spawn(process.execPath, ["-e", script, path]);
  await new Promise((resolve) => child.on("exit", resolve));
}

test("a file that is no socket stays", async () => {
  const path = directory.file("file");
  writeFileSync(path, "precious");
  await expect(bindPrivately(path, () => listen(path))).rejects.toThrow(
    "a file that is no socket is in the way",
  );
  expect(statSync(path).size).toBe(8);
});

test("what keeps from binding is told", async () => {
  const path = directory.file("file/s.sock");
  await expect(bindPrivately(path, () => listen(path))).rejects.toThrow(`listen on ${path}`);
});

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beginExchange, type ExchangeOptions } from "../../lib/linux/sockets/stream-socket.ts";

/**
 * A server in a process of its own, because the client blocks this one. What it does with a connection is the
 * first word that it is sent.
 */
const SERVER = `
  const net = require("node:net");
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => {
      const [word, ...rest] = data.toString().split(" ");
      const acts = {
        echo: () => socket.end("<" + rest.join(" ") + ">"),
        keep: () => socket.write("<whole>"),
        parts: () => { socket.write("<par"); setTimeout(() => socket.write("ts>"), 60); },
        drip: () => setInterval(() => socket.write("."), 20),
        long: () => { let n = 0; socket.on("data", (d) => { n += d.length; if (n >= 5e6) socket.end("<" + n + ">"); }); },
        refuse: () => { socket.write("<too long>"); socket.destroySoon(); },
        answerLong: () => socket.end("x".repeat(3_000_000)),
        hang: () => {},
        close: () => socket.end(),
      };
      acts[word]?.();
    });
  });
  server.listen({ path: process.argv[1], backlog: 1 }, () => console.log("ready"));
`;

const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const isComplete = (bytes: Uint8Array) => bytes.at(-1) === ">".charCodeAt(0);
const exchange = (path: string, request: Uint8Array, options: ExchangeOptions) =>
  beginExchange(path, request, options).finish();
const errorWith = (parts: object) => expect.objectContaining(parts);

describe("exchange over a unix socket", () => {
  const directory = mkdtempSync(join(tmpdir(), "fl-socket-"));
  const path = join(directory, "server.sock");
  let server: ChildProcess;

  beforeAll(async () => {
    server = spawn(process.execPath, ["-e", SERVER, path], { stdio: ["ignore", "pipe", "inherit"] });
    if (server.stdout) await once(server.stdout, "data");
  });
  afterAll(() => {
    server.kill();
    rmSync(directory, { recursive: true });
  });

  const talk = (request: string, timeoutMs = 5_000) =>
    text(exchange(path, utf8(request), { timeoutMs, isComplete }));

  test("gives the answer", () => expect(talk("echo hello there")).toBe("<hello there>"));

  test("does not wait for the end of a connection that is kept", () => expect(talk("keep")).toBe("<whole>"));

  test("puts an answer in parts together", () => expect(talk("parts")).toBe("<parts>"));

  test("takes what came when the peer closes", () => {
    const answer = exchange(path, utf8("echo x"), { timeoutMs: 5_000, isComplete: () => false });
    expect(text(answer)).toBe("<x>");
  });

  test("sends a request far longer than the socket's buffer", () => {
    expect(talk(`long ${"x".repeat(5_300_000)}`, 20_000)).toMatch(/^<5\d{6}>$/);
  });

  test("takes the answer of a server that would not read the whole request", () => {
    expect(talk(`refuse ${"x".repeat(5_000_000)}`)).toBe("<too long>");
  });

  test("takes a long answer, and refuses one that is too long", () => {
    const options = { timeoutMs: 20_000, isComplete };
    expect(exchange(path, utf8("answerLong"), options)).toHaveLength(3_000_000);
    expect(() => exchange(path, utf8("answerLong"), { ...options, maxBytes: 2_999_999 })).toThrow(
      "more than 2999999 bytes",
    );
  });

  test.each([
    ["hang", "it sent 0 bytes"],
    // Each of these bytes comes in time; the limit is on the whole.
    ["drip", /it sent \d+ bytes|ran out/],
  ])("a server that does %s is a timeout", (request, reason) => {
    expect(() => talk(request, 150)).toThrow(reason);
    expect(() => talk(request, 150)).toThrow(errorWith({ code: "timeout", object: path }));
  });

  test("a server that closes without an answer is unavailable", () => {
    expect(() => talk("close")).toThrow(errorWith({ code: "unavailable" }));
  });

  test("nobody there is unavailable, and says whether there is a socket", () => {
    expect(() => exchange(join(directory, "none"), utf8("x"), { timeoutMs: 100, isComplete })).toThrow(
      errorWith({ code: "unavailable", errnoName: "ENOENT" }),
    );
  });

  test("a socket that nobody listens on any more is unavailable", async () => {
    const dead = join(directory, "dead.sock");
    const script = `require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
    await once(spawn(process.execPath, ["-e", script, dead], { stdio: "ignore" }), "exit");
    expect(() => exchange(dead, utf8("x"), { timeoutMs: 100, isComplete })).toThrow(
      errorWith({ code: "unavailable", errnoName: "ECONNREFUSED" }),
    );
  });

  test("a queue of connections that stays full is a timeout", async () => {
    const busy = join(directory, "busy.sock");
    // Listens with a backlog of 0 and never accepts, as a stopped process does.
    const script = `
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])
print("full", flush=True); time.sleep(60)`;
    const holder = spawn("python3", ["-c", script, busy], { stdio: ["ignore", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    expect(() => exchange(busy, utf8("x"), { timeoutMs: 100, isComplete })).toThrow(
      errorWith({ code: "timeout", message: expect.stringContaining("queue of connections is full") }),
    );
    holder.kill();
  });

  test.each(["", "/tmp/\0x", `/${"x".repeat(107)}`])("refuses the path %j", (bad) => {
    expect(() => exchange(bad, utf8("x"), { timeoutMs: 100, isComplete })).toThrow(
      errorWith({ code: "invalid-config" }),
    );
  });
});

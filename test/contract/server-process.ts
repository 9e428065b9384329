/**
 * What the server must do as a process, whatever it runs on: start, be found, keep what it promised, end.
 *
 *     serverProcessContract("on Bun", ["bun", "main.ts"]);
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createGrpcClient } from "../../lib/rpc/grpc-client.ts";
import { createHttpClient, type HttpIpamClient } from "../../lib/rpc/http-client.ts";
import { callSocket, TemporaryDirectory } from "../support/ipam/ipam-fronts.ts";

/** Processes start slowly on a machine that does other things too. */
const TIMEOUT_MS = 60_000;

/** Connections to each listener by whoever has no token. */
const STRANGERS = 700;

const CALLER = { actor: "", node: "" };
const key = (containerId: string) => ({ networkName: "web", containerId, ifname: "eth0" });

interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** One run of `fairlead server`. */
class ServerProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  log = "";

  constructor(command: readonly string[], args: readonly string[]) {
    const [executable = "", ...first] = command;
    this.child = spawn(executable, [...first, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    this.child.stderr?.setEncoding("utf8").on("data", (text) => {
      this.log += text;
    });
    this.child.stdout?.resume();
    this.exited = new Promise((resolve) =>
      this.child.on("close", (code, signal) => resolve({ code, signal })),
    );
  }

  /** Resolves when the server says that it is ready, with what it says; rejects when it ends before. */
  async ready(): Promise<Record<string, unknown>> {
    return await this.line("fairlead server: ready");
  }

  /** The first log line with this message. */
  async line(message: string): Promise<Record<string, unknown>> {
    let ended: Exit | null = null;
    void this.exited.then((exit) => {
      ended = exit;
    });
    for (;;) {
      const lines = this.log.split("\n").filter((line) => line.startsWith("{"));
      const found = lines
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .find(({ msg }) => msg === message);
      if (found) return found;
      if (ended) throw new Error(`the server ended: ${JSON.stringify(ended)}\n${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** Sends a request, and goes before it is answered. Returns when all of it lies in the server's socket. */
async function sendAndGo(socket: string, path: string, body: object): Promise<void> {
  const text = JSON.stringify(body);
  const head = `POST ${path} HTTP/1.1\r\nhost: fairlead\r\ncontent-type: application/json\r\n`;
  const connection = connect(socket);
  await once(connection, "connect");
  const isWritten = new Promise((resolve) =>
    connection.write(`${head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`, resolve),
  );
  await isWritten;
  const isClosed = once(connection, "close");
  connection.destroy();
  await isClosed;
}

/** What is there, as soon as there is something. */
async function eventually<T>(list: () => Promise<readonly T[]>): Promise<readonly T[]> {
  for (;;) {
    const items = await list();
    if (items.length > 0) return items;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** `command` runs the command line of Fairlead: an executable and its first arguments. */
export function serverProcessContract(name: string, command: readonly string[]): void {
  describe(`the server ${name}`, () => {
    jest.setTimeout(TIMEOUT_MS);
    let directory: TemporaryDirectory;
    let socket: string;
    let running: ServerProcess[];
    let clients: { close(): void }[];

    beforeEach(() => {
      directory = new TemporaryDirectory();
      socket = directory.file("run/f.sock");
      running = [];
      clients = [];
    });
    afterEach(async () => {
      for (const client of clients) client.close();
      for (const server of running) server.kill("SIGKILL");
      await Promise.all(running.map(({ exited }) => exited));
      directory.remove();
    });

    function configure(more = ""): string {
      const file = directory.file("server.yaml");
      const base = `socket: ${socket}\nstateDir: ${directory.file("state")}\nnodeName: n1\n`;
      writeFileSync(file, base + more);
      return file;
    }

    function start(more = ""): ServerProcess {
      const server = new ServerProcess(command, ["server", "--config", configure(more)]);
      running.push(server);
      return server;
    }

    function client(): HttpIpamClient {
      const made = createHttpClient({ endpoint: { socket } });
      clients.push(made);
      return made;
    }

    test("serves on a socket that only its user can reach, and says so", async () => {
      const ready = await start().ready();
      expect(ready).toMatchObject({ level: "info", socket, epoch: 1, leases: 0 });
      expect(statSync(socket).mode & 0o777).toBe(0o600);
      expect(statSync(directory.file("run")).mode & 0o777).toBe(0o700);
      expect(statSync(directory.file("state")).mode & 0o777).toBe(0o700);
      const service = client();
      await service.createNetwork({ name: "web" }, CALLER);
      const { addresses } = await service.acquire({ key: key("c1") }, CALLER);
      expect(addresses[0]?.address).toMatch(/^10\.64\.\d+\.2\/24$/);
      const [lease] = await service.listLeases({});
      expect(lease?.node).toBe("n1");
      const [bound] = await service.listEvents({ kind: "lease-bound" });
      expect(bound?.actor).toBe(`uid:${process.getuid?.()}`);
      expect((await callSocket(socket, { url: "/readyz" })).body).toEqual({ status: "ok", reasons: [] });
    });

    test("SIGTERM: calls under way are finished, the socket is gone, status 0", async () => {
      const server = start();
      await server.ready();
      const service = client();
      await service.createNetwork({ name: "web" }, CALLER);
      const stream = callSocket(socket, { url: "/v1/events/stream" });
      const idle = connect(socket);
      await new Promise((resolve) => idle.on("connect", resolve));
      const keys = Array.from({ length: 100 }, (_, at) => key(`c${at}`));
      const calls = keys.map((one) => service.acquire({ key: one }, CALLER));
      await calls[0];
      server.kill("SIGTERM");
      const outcomes = await Promise.allSettled(calls);
      expect(await server.exited).toEqual({ code: 0, signal: null });
      expect(existsSync(socket)).toBe(false);
      expect((await stream).text).toContain(": events follow");
      idle.destroy();
      // Whatever was acknowledged is there.
      const again = start();
      await again.ready();
      const leases = await client().listLeases({ state: "bound" });
      const acknowledged = outcomes.filter(({ status }) => status === "fulfilled").length;
      expect(acknowledged).toBeGreaterThan(0);
      expect(leases.length).toBeGreaterThanOrEqual(acknowledged);
    });

    test("SIGKILL: what was acknowledged is there, and the stale socket is replaced", async () => {
      const server = start();
      await server.ready();
      const service = client();
      await service.createNetwork({ name: "web" }, CALLER);
      const before = await service.acquire({ key: key("c1") }, CALLER);
      server.kill("SIGKILL");
      await server.exited;
      expect(existsSync(socket)).toBe(true);
      const again = start();
      expect(await again.ready()).toMatchObject({ epoch: 2, leases: 1 });
      const addresses = before.addresses.map((each) => ({ ...each, sequence: expect.any(Number) }));
      expect(await client().acquire({ key: key("c1") }, CALLER)).toEqual({
        ...before,
        addresses,
        created: false,
      });
    });

    test("bridge, host and none are there from the start, and the same after a kill", async () => {
      const server = start();
      await server.ready();
      const before = await client().listNetworks();
      expect(before.map(({ name, origin, driver }) => [name, origin, driver])).toEqual([
        ["bridge", "predefined", "bridge"],
        ["host", "predefined", "host"],
        ["none", "predefined", "null"],
      ]);
      server.kill("SIGKILL");
      await server.exited;
      const again = start();
      await again.ready();
      expect(await client().listNetworks()).toEqual(before);
    });

    test("predefined networks can be left out", async () => {
      await start("predefinedNetworks: false\n").ready();
      expect(await client().listNetworks()).toEqual([]);
    });

    test("a second server on the same state or socket gives up, the first goes on", async () => {
      await start().ready();
      const second = start();
      expect(await second.exited).toMatchObject({ signal: null });
      expect(second.child.exitCode).not.toBe(0);
      expect(second.log).toMatch(/^fairlead: /m);
      const elsewhere = new ServerProcess(command, [
        "dev",
        "--socket",
        socket,
        "--state-dir",
        directory.file("b"),
      ]);
      running.push(elsewhere);
      expect((await elsewhere.exited).code).toBe(3);
      expect(elsewhere.log).toContain(`fairlead: listen on ${socket}: another process listens there`);
      expect((await client().info()).epoch).toBe(1);
    });

    test("releases that plugins left are carried out before it listens, and later", async () => {
      const first = start();
      await first.ready();
      const service = client();
      await service.createNetwork({ name: "web" }, CALLER);
      for (const id of ["c1", "c2"]) await service.acquire({ key: key(id) }, CALLER);
      first.kill("SIGKILL");
      await first.exited;
      const intents = directory.file("state/release-intents");
      const leave = (id: string): void => {
        mkdirSync(intents, { recursive: true });
        // As by a clock that was set back since.
        const at = new Date(Date.now() - 3_600_000).toISOString();
        writeFileSync(join(intents, `${id}.json`), JSON.stringify({ key: key(id), at, attempt: "del" }));
      };
      leave("c1");
      const second = start();
      await second.ready();
      expect(existsSync(intents)).toBe(false);
      const bound = async (): Promise<string[]> =>
        (await service.listLeases({ state: "bound" })).map(({ containerId }) => containerId);
      expect(await bound()).toEqual(["c2"]);
      leave("c2");
      while (existsSync(intents)) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await bound()).toEqual([]);
    });

    test("a server that stood still grants nothing, and collects nothing, for clients that have gone", async () => {
      const server = start();
      await server.ready();
      const service = client();
      await service.createNetwork({ name: "web" }, CALLER);
      await service.acquire({ key: key("there") }, CALLER);
      server.kill("SIGSTOP");
      await sendAndGo(socket, "/v1/attachments/acquire", { key: key("gone") });
      await sendAndGo(socket, "/v1/attachments/gc", { networkName: "web", validAttachments: [] });
      // Sent later, and by somebody who waits.
      const waiting = service.acquire({ key: key("waits") }, CALLER);
      await sendAndGo(socket, "/v1/attachments/release", { key: key("there"), reason: "the last" });
      server.kill("SIGCONT");
      await waiting;
      const released = await eventually(() => service.listEvents({ kind: "lease-released" }));
      expect(released.map(({ containerId, reason }) => [containerId, reason])).toEqual([
        ["there", "the last"],
      ]);
      const bound = await service.listEvents({ kind: "lease-bound" });
      expect(bound.map(({ containerId }) => containerId)).toEqual(["there", "waits"]);
    });

    test("TCP listeners demand the token of the state directory", async () => {
      const ready = await start('http: {listen: "127.0.0.1:0"}\ngrpc: {listen: "127.0.0.1:0"}\n').ready();
      const tokenFile = directory.file("state/token");
      expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
      const token = readFileSync(tokenFile, "utf8").trim();
      const port = Number(String(ready["http"]).split(":")[1]);
      const http = (given?: string) => {
        const options = {
          endpoint: { host: "127.0.0.1", port },
          ...(given !== undefined && { token: given }),
        };
        const made = createHttpClient(options);
        clients.push(made);
        return made;
      };
      await expect(http().info()).rejects.toMatchObject({ code: "unauthenticated" });
      await expect(http("wrong").info()).rejects.toMatchObject({ code: "unauthenticated" });
      expect((await http(token).info()).epoch).toBe(1);
      const grpc = createGrpcClient({ target: String(ready["grpc"]), token });
      const stranger = createGrpcClient({ target: String(ready["grpc"]) });
      clients.push(grpc, stranger);
      await expect(stranger.info()).rejects.toMatchObject({ code: "unauthenticated" });
      await grpc.createNetwork({ name: "web" }, CALLER);
      const [event] = await grpc.listEvents({ kind: "network-created", networkName: "web" });
      expect(event?.actor).toBe("token");
    });

    test("strangers on TCP take a bounded number of descriptors, keep nobody out, and have to go", async () => {
      const server = start('http: {listen: "127.0.0.1:0"}\ngrpc: {listen: "127.0.0.1:0"}\n');
      const ready = await server.ready();
      const token = readFileSync(directory.file("state/token"), "utf8").trim();
      const ports = ["http", "grpc"].map((name) => Number(String(ready[name]).split(":")[1]));
      const strangers = ports.flatMap((port) =>
        Array.from({ length: STRANGERS }, () => connect(port, "127.0.0.1")),
      );
      for (const one of strangers) {
        one.on("error", () => {}).resume();
        one.write("PRI * HTTP/2.0\r\n");
      }
      const closed = strangers.map(
        (one) => new Promise<void>((resolve) => one.once("close", () => resolve())),
      );
      const [first = Promise.resolve()] = closed;
      await first;
      const endpoint = { host: "127.0.0.1", port: ports[0] ?? 0 };
      const http = createHttpClient({ endpoint, token });
      const grpc = createGrpcClient({ target: String(ready["grpc"]), token });
      const local = createHttpClient({ endpoint: { socket } });
      clients.push(http, grpc, local);
      for (const client of [http, grpc, local]) expect((await client.info()).epoch).toBe(1);
      const descriptors = readdirSync(`/proc/${server.child.pid}/fd`).length;
      expect(descriptors).toBeLessThan(2 * STRANGERS);
      // Those that were let in have ten seconds to show the token.
      await Promise.all(closed);
      for (const client of [http, grpc]) expect((await client.info()).epoch).toBe(1);
    }, 60_000);

    test("gRPC on a unix socket is guarded by its mode", async () => {
      const path = directory.file("run/g.sock");
      const server = start(`grpc: {listen: "unix:${path}"}\n`);
      await server.ready();
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const grpc = createGrpcClient({ target: `unix:${path}` });
      clients.push(grpc);
      expect((await grpc.info()).epoch).toBe(1);
      server.kill("SIGINT");
      expect(await server.exited).toEqual({ code: 0, signal: null });
      expect(existsSync(path)).toBe(false);
    });

    test("a second signal ends it at once, with status 1", async () => {
      const server = start();
      await server.ready();
      // A request that never ends holds the server up. The server says when it has begun with it.
      const holding = connect(socket, () =>
        holding.write(
          "POST /v1/attachments/acquire HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nContent-Type: application/json\r\n" +
            "Expect: 100-continue\r\n\r\n",
        ),
      );
      holding.on("error", () => {});
      const [word] = await once(holding, "data");
      expect(String(word)).toContain("100 Continue");
      server.kill("SIGTERM");
      await server.line("fairlead server: ending");
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(server.child.exitCode).toBeNull();
      server.kill("SIGTERM");
      expect(await server.exited).toEqual({ code: 1, signal: null });
      holding.destroy();
    });

    test("what keeps it from starting is told in one line, with its status", async () => {
      const stateDir = join(configure(), "state");
      const bad = new ServerProcess(command, ["dev", "--socket", socket, "--state-dir", stateDir]);
      running.push(bad);
      expect((await bad.exited).code).toBe(1);
      expect(bad.log).toContain(`fairlead: make state directory ${stateDir}: `);
      expect(bad.log.trimEnd().split("\n")).toHaveLength(1);
    });
  });
}

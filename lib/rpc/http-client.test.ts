import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { failureOf } from "../../test/support/failures.ts";
import { TemporaryDirectory } from "../../test/support/ipam/ipam-fronts.ts";
import type { FairleadError } from "../errors.ts";
import { createHttpClient, type HttpIpamClient } from "./http-client.ts";
import { joinPieces } from "./pieces.ts";

const directory = new TemporaryDirectory();
const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});
afterAll(() => directory.remove());

let count = 0;

async function serve(handler: RequestListener): Promise<{ socket: string; server: Server }> {
  const socket = directory.file(`${count++}.sock`);
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  open.push({
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
  return { socket, server };
}

function client(socket: string, timeoutMs = 5_000): HttpIpamClient {
  const made = createHttpClient({ endpoint: { socket }, timeoutMs });
  open.push(made);
  return made;
}

const INFO = JSON.stringify({ version: "1" });

test("no socket: unavailable, and what to start", async () => {
  const error = await failureOf(client(directory.file("absent")).info());
  expect([error.code, error.operation, error.object]).toEqual([
    "unavailable",
    "read service info",
    directory.file("absent"),
  ]);
  expect(error.hint).toContain("fairlead dev");
});

test("an answer that does not come in time: timeout, head or body", async () => {
  const silent = await serve(() => {});
  expect((await failureOf(client(silent.socket, 100).info())).code).toBe("timeout");
  const halting = await serve((_, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("{");
  });
  expect((await failureOf(client(halting.socket, 100).info())).code).toBe("timeout");
});

test.each([
  ["no JSON", 200, "<html>", "decode-failure"],
  ["no JSON, as an error", 502, "<html>", "decode-failure"],
  ["an error of another shape", 500, '{"message":"x"}', "internal"],
  ["an error of an unknown code", 500, '{"error":{"code":"from-the-future"}}', "internal"],
])("%s is told", async (...[_name, status, body, code]) => {
  const { socket } = await serve((_, response) => response.writeHead(status).end(body));
  expect((await failureOf(client(socket).info())).code).toBe(code);
});

test("what is not HTTP at all is told", async () => {
  const socket = directory.file("tcp.sock");
  const server = createTcpServer((peer) => peer.on("error", () => {}).end("220 mail ready\r\n"));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  open.push(server);
  expect((await failureOf(client(socket).info())).code).toBe("unavailable");
});

test("a kept connection that the server has closed is made anew", async () => {
  let connections = 0;
  const { socket, server } = await serve((_, response) => response.end(INFO));
  server.on("connection", () => connections++);
  const one = client(socket);
  await one.info();
  // The server drops the connection in the moment of the next request.
  server.closeAllConnections();
  expect(await one.info()).toEqual({ version: "1" });
  expect(connections).toBe(2);
});

test("a connection that breaks before the answer is not tried for ever", async () => {
  let requests = 0;
  const { socket } = await serve((request) => {
    requests++;
    request.socket.destroy();
  });
  expect((await failureOf(client(socket).info())).code).toBe("unavailable");
  expect(requests).toBe(1);
});

test("the token travels with every call", async () => {
  const seen: (string | undefined)[] = [];
  const { socket } = await serve((request, response) => {
    seen.push(request.headers.authorization);
    response.end(INFO);
  });
  const withToken = createHttpClient({ endpoint: { socket }, token: "secret" });
  await withToken.info();
  await client(socket).info();
  withToken.close();
  expect(seen).toEqual(["Bearer secret", undefined]);
});

test("a watch that is refused says so once", async () => {
  const { socket } = await serve((_, response) => {
    const error = { code: "compacted", operation: "o", object: "", reason: "gone", hint: "", details: {} };
    response.writeHead(410).end(JSON.stringify({ error }));
  });
  const ended = await new Promise<FairleadError>((resolve) => {
    const watching = createHttpClient({ endpoint: { socket }, onWatchEnd: resolve });
    open.push(watching);
    watching.watchEvents({ revision: 5 }, () => {});
  });
  expect([ended.code, ended.reason]).toEqual(["compacted", "gone"]);
});

test("a list that is cut short is no list, however it was cut", async () => {
  const polite = await serve((_, response) => response.end('{"leases":[\n{"address":"10.1.0.2"},\n'));
  expect((await failureOf(joinPieces(client(polite.socket).streamLeases({})))).message).toContain(
    "cut short",
  );
  const rude = await serve((_, response) => {
    response.write('{"leases":[\n{"address":"10.1.0.2"},\n', () => response.destroy());
  });
  expect((await failureOf(joinPieces(client(rude.socket).streamLeases({})))).code).toBe("unavailable");
});

test("the next piece of a list must come in time; how long a piece is looked at does not matter", async () => {
  const more = Promise.withResolvers<void>();
  const slow = await serve(async (_, response) => {
    response.write('{"leases":[\n{"address":"10.1.0.2"},\n');
    await more.promise;
    response.write('{"address":"10.1.0.3"},\n');
  });
  const pieces = client(slow.socket, 100).streamLeases({})[Symbol.asyncIterator]();
  expect((await pieces.next()).value).toMatchObject([{ address: "10.1.0.2" }]);
  await new Promise((resolve) => setTimeout(resolve, 200));
  more.resolve();
  expect((await pieces.next()).value).toMatchObject([{ address: "10.1.0.3" }]);
  expect((await failureOf(pieces.next())).code).toBe("timeout");
});

test("whoever stops early ends the answer", async () => {
  const closed = Promise.withResolvers<void>();
  const endless = await serve((_, response) => {
    response.on("close", closed.resolve);
    response.write('{"leases":[\n{"address":"10.1.0.2"},\n');
  });
  for await (const piece of client(endless.socket).streamLeases({})) {
    expect(piece).toHaveLength(1);
    break;
  }
  await closed.promise;
});

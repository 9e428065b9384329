/**
 * The DNS server on loopback: networks of 127.0.0.0/8, whose "containers" are sockets bound to their addresses, and a
 * stub of the world.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket as Stream } from "node:net";
import { DnsServer, type DnsServerOptions } from "../../../agent/dns/server.ts";
import { parseAddress } from "../../../lib/addr/address.ts";
import { FrameReader, frameMessage } from "../../../lib/dns/frames.ts";
import { decodeMessage, encodeMessage, type Message, type ResourceRecord } from "../../../lib/dns/message.ts";
import type { Endpoint, Network } from "../../../lib/ipam/api.ts";
import { silentLogger } from "../../../lib/log.ts";
import { endpointOf, networkOf } from "./dns-fixture.ts";

/** Below the ephemeral ports, and others for another run at the same time. */
export const PORT = 15_000 + 2 * (process.pid % 8_000);
export const UPSTREAM_PORT = PORT + 1;
export const GATEWAY = "127.77.1.1";
export const OTHER_GATEWAY = "127.77.2.1";

export const networks: Network[] = [
  networkOf("frontend", { subnets: { "127.77.1.0/24": GATEWAY } }),
  networkOf("backend", { subnets: { "127.77.2.0/24": OTHER_GATEWAY } }),
];
export const endpoints: Endpoint[] = [
  endpointOf("frontend", "web", ["127.77.1.2/24"]),
  endpointOf("frontend", "both", ["127.77.1.3/24"]),
  endpointOf("backend", "both", ["127.77.2.3/24"]),
  endpointOf("backend", "db", ["127.77.2.2/24"]),
];

export const started: { close(): void }[] = [];

/** Ends what a test has started, newest first. */
export function closeStarted(): void {
  for (const one of started.splice(0).reverse()) one.close();
}

export async function start(options: Partial<DnsServerOptions> = {}): Promise<DnsServer> {
  const server = new DnsServer({
    service: {
      listNetworks: async () => networks,
      listEndpoints: async ({ containerId }) =>
        endpoints.filter((one) => (containerId ?? one.containerId) === one.containerId),
    },
    logger: silentLogger,
    upstreams: [`127.0.0.1#${UPSTREAM_PORT}`],
    runDir: "/nonexistent",
    port: PORT,
    ...options,
  });
  started.push(server);
  server.onReset();
  await server.applied();
  return server;
}

/** Asks over UDP from an address of 127.0.0.0/8. Null: no answer within `timeoutMs`. */
export async function ask(
  query: Uint8Array,
  from: string,
  { to = GATEWAY, timeoutMs = 3_000 } = {},
): Promise<Message | null> {
  const socket = createSocket("udp4");
  socket.bind(0, from);
  await once(socket, "listening");
  try {
    socket.send(query, PORT, to);
    const [bytes] = (await once(socket, "message", { signal: AbortSignal.timeout(timeoutMs) })) as [Buffer];
    return decodeMessage(bytes);
  } catch {
    return null;
  } finally {
    socket.close();
  }
}

export async function dial(from: string, to = GATEWAY): Promise<Stream> {
  const stream = connect({ host: to, port: PORT, localAddress: from });
  stream.on("error", () => {});
  await once(stream, "connect");
  return stream;
}

/** Collects messages of a stream until there are `count`, or it ends. */
export async function receive(stream: Stream, count: number): Promise<Message[]> {
  const frames = new FrameReader();
  const messages: Message[] = [];
  for await (const chunk of stream) {
    messages.push(...frames.push(chunk as Buffer).map(decodeMessage));
    if (messages.length >= count) break;
  }
  return messages;
}

export async function askTcp(query: Uint8Array, from: string, to = GATEWAY): Promise<Message | undefined> {
  const stream = await dial(from, to);
  stream.write(frameMessage(query));
  const [answer] = await receive(stream, 1);
  stream.destroy();
  return answer;
}

export const texts = (message: Message | null | undefined) =>
  message?.answers.map((one) =>
    one.type === "A"
      ? JSON.stringify(one.data, (_, v) => (typeof v === "bigint" ? Number(v & 255n) : v))
      : one.type,
  );
export const count = (message: Message | null | undefined) => message?.answers.length;

/** What the stub of the world does with a query; null: nothing. */
export type Behaviour = (query: Message) => Message | Uint8Array | null;

export function answerOf(
  query: Message,
  answers: readonly ResourceRecord[],
  changes: Partial<Message["flags"]> = {},
): Message {
  return {
    ...query,
    flags: { ...query.flags, response: true, recursionAvailable: true, ...changes },
    answers,
  };
}

export const world: Behaviour = (query) => {
  const [question] = query.questions;
  const data = { address: parseAddress("192.0.2.80") };
  return answerOf(query, [{ name: question?.name ?? "", type: "A", class: 1, ttl: 300, data }]);
};

export interface Stub {
  readonly seen: Message[];
  readonly udp: Socket;
}

export async function startUpstream(
  udp: Behaviour,
  tcp: Behaviour = udp,
  address = "127.0.0.1",
): Promise<Stub> {
  const seen: Message[] = [];
  const socket = createSocket("udp4");
  const encode = (answer: Message | Uint8Array) =>
    answer instanceof Uint8Array ? answer : encodeMessage(answer);
  socket.on("message", (bytes, from) => {
    const query = decodeMessage(bytes);
    seen.push(query);
    const answer = udp(query);
    if (answer) socket.send(encode(answer), from.port, from.address);
  });
  socket.bind(UPSTREAM_PORT, address);
  const server: Server = createServer((stream) => {
    const frames = new FrameReader();
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => {
      for (const bytes of frames.push(chunk)) {
        const answer = tcp(decodeMessage(bytes));
        if (answer) stream.write(frameMessage(encode(answer)));
      }
    });
  });
  server.listen(UPSTREAM_PORT, address);
  await Promise.all([once(socket, "listening"), once(server, "listening")]);
  started.push({
    close: () => {
      socket.close();
      server.close();
    },
  });
  return { seen, udp: socket };
}

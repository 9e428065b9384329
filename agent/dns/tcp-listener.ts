/** Queries over TCP on one address. Several may be under way on a connection; each is answered when its answer is there. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { FrameReader, frameMessage } from "../../lib/dns/frames.ts";
import { HEADER_BYTES } from "../../lib/dns/header.ts";
import type { QueryHandler } from "./query-handler.ts";
import type { TcpClient, TcpClients } from "./tcp-clients.ts";

/** Connections that the kernel holds until they are taken. */
const BACKLOG = 1_024;

export interface ListenerOptions {
  readonly address: string;
  readonly port: number;
  /** Network whose gateway the address is. Asked for each query: an address may pass from one network to the next. */
  readonly networkName: () => string;
  readonly handler: QueryHandler;
  readonly clients: TcpClients;
}

/** @throws with the `code` of the system: EADDRNOTAVAIL, EADDRINUSE, … */
export async function listenTcp(options: ListenerOptions): Promise<Server> {
  const server = createServer({ allowHalfOpen: false, noDelay: true }, (socket) => serve(socket, options));
  server.listen({ host: options.address, port: options.port, backlog: BACKLOG });
  await once(server, "listening");
  // Once it listens, what fails is one connection, never the server.
  server.on("error", () => {});
  return server;
}

function serve(socket: Socket, { clients, handler, networkName }: ListenerOptions): void {
  const address = socket.remoteAddress ?? "";
  const client: TcpClient = { address, close: () => socket.destroy() };
  const frames = new FrameReader();
  socket.on("error", () => {});
  socket.on("close", () => clients.remove(client));
  clients.add(client);
  const answer = (reply: Uint8Array | null): void => {
    if (reply === null || socket.destroyed) return;
    socket.write(frameMessage(reply));
    if (socket.writableLength > clients.limits.unreadBytes) clients.evict(client);
    else clients.active(client);
  };
  socket.on("data", (chunk: Buffer) => {
    const wasPartial = frames.isPartial;
    const messages = frames.push(chunk);
    if (messages.length > 0) clients.active(client);
    if (frames.isPartial && (messages.length > 0 || !wasPartial)) clients.began(client);
    for (const message of messages) {
      // Whoever speaks something else is not waited for.
      if (message.length < HEADER_BYTES) return clients.evict(client);
      const reply = handler.handle(message, { networkName: networkName(), address, transport: "tcp" });
      if (reply instanceof Promise) void reply.then(answer);
      else answer(reply);
    }
  });
}

/** Queries over TCP on one address. Several may be under way on a connection; each is answered when its answer is there. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { FrameReader, frameMessage } from "../../../lib/dns/frames.ts";
import { HEADER_BYTES } from "../../../lib/dns/header.ts";
import { LONGEST_QUERY_BYTES, type QueryHandler, type QuerySource } from "../answer/query-handler.ts";
import type { FairQueue } from "./fair-queue.ts";
import type { TcpClient, TcpClients } from "./tcp-clients.ts";

/** Connections that the kernel holds until they are taken. */
const BACKLOG = 1_024;

export interface ListenerOptions {
  readonly address: string;
  readonly port: number;
  /** Network whose gateway the address is. Asked for each query: an address may pass from one network to the next. */
  readonly networkName: () => string;
  readonly handler: QueryHandler;
  /** Whose turn it is. */
  readonly queue: FairQueue;
  readonly clients: TcpClients;
}

/** @throws with the `code` of the system: EADDRNOTAVAIL, EADDRINUSE, … */
export async function listenTcp(options: ListenerOptions): Promise<Server> {
  const server = createServer({ allowHalfOpen: false, noDelay: true }, (socket) => serve(socket, options));
  // As in udp-listener.ts; for TCP SO_REUSEADDR does not share an address that is listened on.
  server.listen({ host: options.address, port: options.port, backlog: BACKLOG, reusePort: true });
  await once(server, "listening");
  // Once it listens, what fails is one connection, never the server.
  server.on("error", () => {});
  return server;
}

function serve(socket: Socket, options: ListenerOptions): void {
  const address = socket.remoteAddress ?? "";
  const client: TcpClient = { address, close: () => socket.destroy() };
  const connection = new Connection(socket, client, options);
  socket.on("error", () => {});
  socket.on("close", () => options.clients.remove(client));
  options.clients.add(client);
  socket.on("data", (chunk: Buffer) => connection.take(chunk));
}

/** One client: its messages are answered one at a time as its turn comes, and until all are nothing more is read of it. */
class Connection {
  readonly #socket: Socket;
  readonly #client: TcpClient;
  readonly #options: ListenerOptions;
  readonly #frames = new FrameReader(LONGEST_QUERY_BYTES);
  readonly #messages: Uint8Array[] = [];

  constructor(socket: Socket, client: TcpClient, options: ListenerOptions) {
    this.#socket = socket;
    this.#client = client;
    this.#options = options;
  }

  take(chunk: Uint8Array): void {
    const { clients } = this.#options;
    const wasPartial = this.#frames.isPartial;
    const messages = this.#tryRead(chunk);
    // Whoever speaks something else is not waited for.
    const isDns = messages?.every(({ length }) => length >= HEADER_BYTES) ?? false;
    if (isDns && messages) this.#takeAll(messages, wasPartial);
    else clients.evict(this.#client);
  }

  #takeAll(messages: readonly Uint8Array[], wasPartial: boolean): void {
    const { clients } = this.#options;
    if (messages.length > 0) clients.active(this.#client);
    if (this.#frames.isPartial && (messages.length > 0 || !wasPartial)) clients.began(this.#client);
    const isIdle = this.#messages.length === 0;
    this.#messages.push(...messages);
    if (isIdle && messages.length > 0) this.#awaitTurn();
  }

  #tryRead(chunk: Uint8Array): Uint8Array[] | null {
    try {
      return this.#frames.push(chunk);
    } catch {
      return null;
    }
  }

  /** Takes turns until one has to be waited for, or all is answered. */
  #awaitTurn(): void {
    while (this.#messages.length > 0 && !this.#socket.destroyed) {
      if (this.#takeTurn()) continue;
      this.#socket.pause();
      return;
    }
    this.#socket.resume();
  }

  /** True: it was our turn at once. Otherwise it will be, or the connection is closed. */
  #takeTurn(): boolean {
    const { queue, clients, handler } = this.#options;
    const source = this.#source();
    const asker = handler.askerOf(source);
    let isPutOff = false;
    let isDone = false;
    const run = (): void => {
      isDone = true;
      this.#answerNext(source);
      if (isPutOff) this.#awaitTurn();
    };
    const work = { sizeBytes: this.#messages[0]?.length ?? 0, run };
    const isTaken = asker !== null && queue.submit({ networkName: source.networkName, asker }, work);
    if (!isTaken) handler.drop();
    if (!isTaken) clients.evict(this.#client);
    isPutOff = !isDone;
    return isDone;
  }

  #source(): QuerySource {
    return {
      networkName: this.#options.networkName(),
      address: this.#client.address,
      transport: "tcp",
    };
  }

  #answerNext(source: QuerySource): void {
    const message = this.#messages.shift();
    if (message === undefined || this.#socket.destroyed) return;
    const reply = this.#options.handler.handle(message, source);
    if (reply instanceof Promise) void reply.then((answer) => this.#write(answer));
    else this.#write(reply);
  }

  #write(reply: Uint8Array | null): void {
    const { clients } = this.#options;
    if (reply === null || this.#socket.destroyed) return;
    this.#socket.write(frameMessage(reply));
    if (this.#socket.writableLength > clients.limits.unreadBytes) clients.evict(this.#client);
    // A message that has begun keeps its limit, whatever is answered meanwhile.
    else if (!this.#frames.isPartial) clients.active(this.#client);
  }
}

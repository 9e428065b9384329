/**
 * Connections over TCP: how many there may be, and how long one may stay without the token.
 *
 * Every process of the machine can connect to loopback, whoever runs it, and each connection takes a descriptor, which the unix
 * socket of the plugins and the store need as well. So there is a limit, and over it those go first that have not shown the token;
 * who has it is not kept out by those who have not.
 */
import { readFileSync } from "node:fs";
import type { Server as HttpServer } from "node:http";
import type { Server, Socket } from "node:net";

export interface ConnectionLimits {
  readonly connections: number;
  /** For a connection over which the token did not come. */
  readonly strangerMs: number;
}

const MOST_CONNECTIONS = 512;
/** Of the descriptors that the process may have; there are two listeners of this kind. */
const SHARE_OF_DESCRIPTORS = 1 / 4;
/** As long as a whole request may take. */
const STRANGER_MS = 10_000;

export function connectionLimits(descriptors: number = descriptorLimit()): ConnectionLimits {
  const share = Math.floor(descriptors * SHARE_OF_DESCRIPTORS);
  return { connections: Math.max(1, Math.min(MOST_CONNECTIONS, share)), strangerMs: STRANGER_MS };
}

/** Source: proc_pid_limits(5). */
export function descriptorLimit(
  read: () => string = () => readFileSync("/proc/self/limits", "latin1"),
): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(read()) ?? [];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

/** Where a connection comes from; there is one from there at a time. */
type Peer = string;

export class TcpConnections {
  readonly #limits: ConnectionLimits;
  /** Oldest first. */
  readonly #strangers = new Map<Peer, Socket>();
  readonly #known = new Map<Peer, Socket>();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#strangers.size + this.#known.size;
  }

  /** Counts what connects to the server from now on, and closes what is too much. */
  watch(server: Server | HttpServer): void {
    server.on("connection", (socket: Socket) => void this.take(socket));
  }

  /** Counts a connection. False: there is no room for it, and it is closed. */
  take(socket: Socket): boolean {
    const peer = peerOf(socket);
    if (this.count >= this.#limits.connections && !this.#makeRoom()) {
      socket.destroy();
      return false;
    }
    const timer = setTimeout(() => this.#strangers.has(peer) && socket.destroy(), this.#limits.strangerMs);
    this.#strangers.set(peer, socket);
    socket.once("close", () => {
      clearTimeout(timer);
      if (this.#strangers.get(peer) === socket) this.#strangers.delete(peer);
      if (this.#known.get(peer) === socket) this.#known.delete(peer);
    });
    return true;
  }

  /** The token came over the connection from there: `address port`, as {@link peerOf} says. */
  know(peer: Peer): void {
    const socket = this.#strangers.get(peer);
    if (socket === undefined) return;
    this.#strangers.delete(peer);
    this.#known.set(peer, socket);
  }

  #makeRoom(): boolean {
    const [oldest] = this.#strangers;
    if (oldest === undefined) return false;
    const [peer, socket] = oldest;
    this.#strangers.delete(peer);
    socket.destroy();
    return true;
  }
}

export function peerOf({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">): Peer {
  return `${remoteAddress} ${remotePort}`;
}

/**
 * Netlink sockets in the host's namespace, which a process that serves many requests keeps between them.
 *
 * Opening one costs seven system calls. Closing one of nfnetlink after something was deleted through it is worse: the kernel
 * waits for an RCU grace period, a dozen milliseconds, before it lets go. Source: net/netfilter/nf_tables_api.c,
 * nft_rcv_nl_event.
 */
import type { NetlinkTransport } from "../../netlink/connection.ts";
import {
  type DrainableNetlinkTransport,
  type NetlinkSocketOptions,
  openNetlinkSocket,
} from "./netlink-socket.ts";

/** Sockets that nobody uses at the moment, by what they were opened with. Null: sockets are not kept. */
let kept: Map<string, DrainableNetlinkTransport> | null = null;

/** From now on sockets are kept. For a process that never changes its own network namespace for good. */
export function keepHostNetlinkSockets(): void {
  kept ??= new Map();
}

/**
 * A netlink socket in the namespace of this process: one that was kept, or a new one. Never to be called inside of another
 * namespace. `close` gives it back, unless it failed.
 *
 * @throws SyscallError
 */
export function openHostNetlinkSocket(
  protocol: number,
  options: NetlinkSocketOptions = {},
): NetlinkTransport {
  if (kept === null) return openNetlinkSocket(protocol, options);
  const name = JSON.stringify([protocol, options]);
  const socket = kept.get(name) ?? openNetlinkSocket(protocol, options);
  kept.delete(name);
  return new LentSocket(socket, (sound) => takeBack(name, socket, sound));
}

function takeBack(name: string, socket: DrainableNetlinkTransport, sound: boolean): void {
  // Whoever gave up half-way has left answers behind, which the next one would take for his own.
  if (sound && kept !== null && !kept.has(name) && socket.drain()) kept.set(name, socket);
  else socket.close();
}

class LentSocket implements NetlinkTransport {
  readonly #socket: DrainableNetlinkTransport;
  readonly #giveBack: (sound: boolean) => void;
  #isOpen = true;
  #isSound = true;

  constructor(socket: DrainableNetlinkTransport, giveBack: (sound: boolean) => void) {
    this.#socket = socket;
    this.#giveBack = giveBack;
  }

  send(datagram: Uint8Array): void {
    this.#watched(() => this.#socket.send(datagram));
  }

  receive(): Uint8Array {
    return this.#watched(() => this.#socket.receive());
  }

  close(): void {
    if (this.#isOpen) this.#giveBack(this.#isSound);
    this.#isOpen = false;
  }

  #watched<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      this.#isSound = false;
      throw error;
    }
  }
}

/**
 * Everybody who is connected over TCP, on all gateway addresses together: how many there may be, and how long one may
 * say nothing.
 *
 * Over a limit it is not the new connection that goes but the one that has been silent longest: first among those of the
 * same address, so that a client that holds connections open hurts itself and nobody else.
 */
import { setTimeout as sleep } from "node:timers/promises";

export interface TcpLimits {
  readonly connections: number;
  /** Of one address. */
  readonly perClient: number;
  /** Silence between two messages. */
  readonly idleMs: number;
  /** From the first byte of a message to its last. */
  readonly messageMs: number;
  /** Answers that a client does not take. */
  readonly unreadBytes: number;
}

/** Source of the idle time: RFC 7766 §6.2.3, "a few seconds". */
export const TCP_LIMITS: TcpLimits = {
  connections: 2_048,
  perClient: 64,
  idleMs: 10_000,
  messageMs: 2_000,
  unreadBytes: 256 * 1024,
};

/** How often connections that are overdue are looked for. */
const SWEEP_MS = 250;

/** One connection, as far as limits go. */
export interface TcpClient {
  readonly address: string;
  close(): void;
}

export interface TcpClientsOptions {
  readonly limits: TcpLimits;
  /** Milliseconds since any fixed moment. */
  readonly now: () => number;
  /** Called for each connection that is closed for a limit. */
  readonly onClosed: () => void;
}

export class TcpClients {
  readonly #options: TcpClientsOptions;
  /** Client → when it is overdue. Who was heard of last stands last. */
  readonly #deadlines = new Map<TcpClient, number>();
  readonly #byAddress = new Map<string, Set<TcpClient>>();
  readonly #closing = new AbortController();

  constructor(options: TcpClientsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#deadlines.size;
  }

  get limits(): TcpLimits {
    return this.#options.limits;
  }

  /** Closes who is overdue, until {@link close}. */
  async watch(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.closeOverdue();
      await sleep(SWEEP_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Stops to watch, and closes everybody. */
  close(): void {
    this.#closing.abort();
    for (const client of [...this.#deadlines.keys()]) this.#drop(client);
  }

  add(client: TcpClient): void {
    const { limits } = this.#options;
    const same = this.#byAddress.get(client.address) ?? new Set();
    const [oldest] = same;
    if (oldest && same.size >= limits.perClient) this.#evict(oldest);
    const [silent] = this.#deadlines.keys();
    if (silent && this.#deadlines.size >= limits.connections) this.#evict(silent);
    this.#byAddress.set(client.address, same.add(client));
    this.#deadlines.set(client, this.#options.now() + limits.idleMs);
  }

  /** A whole message came, or went: it may be silent for a while. */
  active(client: TcpClient): void {
    this.#postpone(client, this.#options.limits.idleMs);
  }

  /** A message has begun. Further bytes of it buy no time. */
  began(client: TcpClient): void {
    this.#postpone(client, this.#options.limits.messageMs);
  }

  #postpone(client: TcpClient, ms: number): void {
    const same = this.#byAddress.get(client.address);
    if (!this.#deadlines.delete(client) || !same) return;
    this.#deadlines.set(client, this.#options.now() + ms);
    same.delete(client);
    same.add(client);
  }

  /** The connection is gone. */
  remove(client: TcpClient): void {
    this.#deadlines.delete(client);
    const same = this.#byAddress.get(client.address);
    same?.delete(client);
    if (same?.size === 0) this.#byAddress.delete(client.address);
  }

  closeOverdue(): void {
    const now = this.#options.now();
    for (const [client, deadline] of [...this.#deadlines]) if (deadline <= now) this.#evict(client);
  }

  /** Takes too much, or says what is no DNS. */
  evict(client: TcpClient): void {
    if (this.#deadlines.has(client)) this.#evict(client);
  }

  #evict(client: TcpClient): void {
    this.#options.onClosed();
    this.#drop(client);
  }

  #drop(client: TcpClient): void {
    this.remove(client);
    client.close();
  }
}

/**
 * The gateway addresses that are listened on: kept equal to those of the networks, without closing one that stays.
 *
 * A gateway address appears when its bridge is made, by the agent or by a network's first ADD; until then it cannot be
 * bound, and is tried again. An address that another program holds keeps its own network from being served, and no
 * other.
 */
import type { Socket } from "node:dgram";
import type { Server } from "node:net";
import { formatAddress } from "../../lib/addr/address.ts";
import type { Logger } from "../../lib/log.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import type { FairQueue } from "./fair-queue.ts";
import type { NamedNetwork } from "./names.ts";
import type { PortKeeper } from "./port-keeper.ts";
import type { QueryHandler } from "./query-handler.ts";
import type { TcpClients } from "./tcp-clients.ts";
import { listenTcp } from "./tcp-listener.ts";
import { listenUdp } from "./udp-listener.ts";

export const DNS_PORT = 53;

/** Pauses between attempts, doubling from the first to the most. */
const RETRY_MS = { first: 50, most: 5_000 };

/** How long after it became wanted an address may be about to appear: somebody is making its bridge. */
const EXPECTED_MS = 2_000;

/** Only these have a gateway address on this host. */
const DRIVERS_WITH_GATEWAY: readonly string[] = ["bridge", "overlay"];

export interface ListenersOptions {
  readonly handler: QueryHandler;
  readonly queue: FairQueue;
  readonly clients: TcpClients;
  readonly logger: Logger;
  /** Default: 53. */
  readonly port?: number;
  /** Is told which addresses are listened on. */
  readonly keeper?: PortKeeper;
}

interface Wanted {
  readonly address: string;
  readonly network: NamedNetwork;
}

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #byAddress = new Map<string, Listener>();
  #conflicts: AgentProblem[] = [];
  #isClosed = false;

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  get port(): number {
    return this.#options.port ?? DNS_PORT;
  }

  /** Opens what is missing, closes what is not wanted any more. Those that stay are not touched. */
  update(networks: readonly NamedNetwork[]): void {
    if (this.#isClosed) return;
    const wanted = this.#wantedOf(networks);
    for (const [address, listener] of this.#byAddress) {
      if (wanted.has(address)) continue;
      this.#byAddress.delete(address);
      listener.close();
    }
    for (const [address, one] of wanted) {
      const open = this.#byAddress.get(address);
      if (open) {
        open.wanted = one;
        continue;
      }
      const listener = new Listener(one, { ...this.#options, port: this.port });
      this.#byAddress.set(address, listener);
      listener.start();
    }
  }

  /** Networks of separate address spaces may have one gateway address; only one of them can be listened for. */
  #wantedOf(networks: readonly NamedNetwork[]): Map<string, Wanted> {
    const wanted = new Map<string, Wanted>();
    this.#conflicts = [];
    for (const network of networks.filter(({ driver }) => DRIVERS_WITH_GATEWAY.includes(driver))) {
      for (const address of network.gateways.map(formatAddress)) {
        const other = wanted.get(address)?.network;
        if (other) this.#conflicts.push(conflict(network, address, other));
        else wanted.set(address, { address, network });
      }
    }
    return wanted;
  }

  /** Tries at once what could not be opened: something has changed on the network. */
  retry(networkName: string): void {
    for (const listener of this.#byAddress.values()) {
      if (listener.wanted.network.name === networkName) listener.retry();
    }
  }

  /** Resolves when no listener is left that may open any moment. */
  async settled(): Promise<void> {
    for (const listener of this.#byAddress.values()) listener.retry();
    while ([...this.#byAddress.values()].some((one) => one.isExpected)) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS.first));
    }
  }

  isOpen(address: string): boolean {
    return this.#byAddress.get(address)?.isOpen ?? false;
  }

  isWanted(address: string): boolean {
    return this.#byAddress.has(address);
  }

  get openCount(): number {
    return [...this.#byAddress.values()].filter(({ isOpen }) => isOpen).length;
  }

  problems(): readonly AgentProblem[] {
    return [...this.#conflicts, ...[...this.#byAddress.values()].flatMap((one) => one.problem ?? [])];
  }

  close(): void {
    this.#isClosed = true;
    for (const listener of this.#byAddress.values()) listener.close();
    this.#byAddress.clear();
  }
}

function conflict({ name }: NamedNetwork, address: string, other: NamedNetwork): AgentProblem {
  const message = `its gateway ${address} is that of network ${other.name} too; names are served for that one only`;
  return { severity: "error", object: name, message };
}

type SystemError = Error & { readonly code?: string };

/** One address, over both transports or not at all. */
class Listener {
  /** A removed network's address may be that of the next one, whose queries the same sockets then take. */
  wanted: Wanted;
  readonly #options: ListenersOptions & { readonly port: number };
  readonly #since = performance.now();
  #udp: Socket | null = null;
  #tcp: Server | null = null;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = RETRY_MS.first;
  #isTrying = false;
  #isClosed = false;
  #error: SystemError | null = null;

  constructor(wanted: Wanted, options: ListenersOptions & { readonly port: number }) {
    this.wanted = wanted;
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#tcp !== null;
  }

  /** Being tried for the first time, or of a network whose bridge the agent is about to make. */
  get isExpected(): boolean {
    if (this.isOpen) return false;
    if (this.#error === null) return true;
    const isNew = performance.now() - this.#since < EXPECTED_MS;
    return isNew && this.#error.code === "EADDRNOTAVAIL" && this.wanted.network.origin !== "conflist";
  }

  get problem(): AgentProblem | null {
    if (this.#error === null) return null;
    const { address, network } = this.wanted;
    const isMissing = this.#error.code === "EADDRNOTAVAIL";
    // A conflist's bridge appears with its first container, or has no address at all.
    if (isMissing && network.origin === "conflist") return null;
    const at = `names are not served: ${address}:${this.#options.port}`;
    if (isMissing) return problem("warning", network, `${at}: the address is not on this host yet`);
    if (this.#error.code !== "EADDRINUSE") return problem("error", network, `${at}: ${this.#error.message}`);
    return problem(
      "error",
      network,
      `${at} is taken by another program, perhaps one that listens on every address (see: ss -lnptu sport = :${this.#options.port}); let it listen on its own addresses only`,
    );
  }

  start(): void {
    void this.#try();
  }

  retry(): void {
    if (this.isOpen || this.#isTrying) return;
    this.#pauseMs = RETRY_MS.first;
    clearTimeout(this.#timer);
    void this.#try();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    if (this.isOpen) this.#options.keeper?.release(this.wanted.address, this.#options.port);
    this.#udp?.close();
    this.#tcp?.close();
    this.#udp = null;
    this.#tcp = null;
  }

  async #try(): Promise<void> {
    this.#isTrying = true;
    try {
      await this.#open();
      this.#error = null;
      const { address, network } = this.wanted;
      this.#options.logger.info({ network: network.name, address }, "dns: listening");
    } catch (thrown) {
      this.#failed(thrown as SystemError);
    }
    this.#isTrying = false;
    // It may have been closed while the sockets were being opened.
    if (this.#isClosed) this.close();
  }

  async #open(): Promise<void> {
    const { handler, queue, clients, port } = this.#options;
    const networkName = (): string => this.wanted.network.name;
    const options = { address: this.wanted.address, port, networkName, handler, queue, clients };
    const udp = await listenUdp(options);
    try {
      this.#tcp = await listenTcp(options);
      this.#udp = udp;
      this.#options.keeper?.keep(this.wanted.address, port);
    } catch (thrown) {
      udp.close();
      throw thrown;
    }
  }

  #failed(error: SystemError): void {
    const isNews = error.code !== this.#error?.code && error.code !== "EADDRNOTAVAIL";
    this.#error = error;
    const { message = error.message } = this.problem ?? {};
    if (isNews)
      this.#options.logger.error(
        { network: this.wanted.network.name, reason: message },
        "dns: cannot listen",
      );
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#try(), this.#pauseMs).unref();
    this.#pauseMs = Math.min(2 * this.#pauseMs, RETRY_MS.most);
  }
}

function problem(severity: AgentProblem["severity"], { name }: NamedNetwork, message: string): AgentProblem {
  return { severity, object: name, message };
}

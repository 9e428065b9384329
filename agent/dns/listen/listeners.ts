/**
 * The gateway addresses that are listened on: kept equal to those of the networks, without closing one that stays.
 *
 * A gateway address appears when its bridge is made, by the agent or by a network's first ADD; until then it cannot be
 * bound, and is tried again. An address that another program holds keeps its own network from being served, and no
 * other.
 */
import type { Socket } from "node:dgram";
import type { Server } from "node:net";
import { formatAddress } from "../../../lib/addr/address.ts";
import { rulesOf } from "../../../lib/ipam/network-options.ts";
import type { Logger } from "../../../lib/log.ts";
import type { AgentProblem } from "../../../lib/rpc/agent-api.ts";
import { WorkQueue } from "../../reconcile/work-queue.ts";
import type { QueryHandler } from "../answer/query-handler.ts";
import type { NamedNetwork } from "../names/names.ts";
import type { FairQueue } from "./fair-queue.ts";
import type { PortKeeper } from "./port-keeper.ts";
import { listenTcp } from "./tcp.ts";
import type { TcpClients } from "./tcp-clients.ts";
import { listenUdp } from "./udp.ts";

export const DNS_PORT = 53;

/** Pauses between attempts to listen on an address. */
const RETRY = { firstMs: 50, mostMs: 5_000 };

/** Between attempts while somebody waits for names: the bridge of a new network is made at the same time. */
const SETTLE_MS = 2;

/** How long after it became wanted an address may be about to appear: somebody is making its bridge. */
const EXPECTED_MS = 2_000;

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
  /** Addresses that are to be opened. */
  readonly #opening = new WorkQueue({
    limits: RETRY,
    work: (address) => this.#byAddress.get(address)?.open(),
  });
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
      this.#opening.forget(address);
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
      this.#opening.want(address);
    }
  }

  /**
   * Networks of separate address spaces may have one gateway address; only one of them can be listened for. Those of one address
   * space are listened for together: the address that asks tells which network it is on.
   */
  #wantedOf(networks: readonly NamedNetwork[]): Map<string, Wanted> {
    const wanted = new Map<string, Wanted>();
    this.#conflicts = [];
    for (const network of networks.filter(({ driver }) => rulesOf(driver)?.isBridged)) {
      for (const address of network.gateways.map(formatAddress)) {
        const other = wanted.get(address)?.network;
        const isShared = other?.addressSpace === network.addressSpace;
        if (other && !isShared) this.#conflicts.push(conflict(network, address, other));
        if (!other) wanted.set(address, { address, network });
      }
    }
    return wanted;
  }

  /** Tries at once what could not be opened: something has changed on the network. */
  retry(networkName: string): void {
    for (const listener of this.#byAddress.values()) {
      if (listener.wanted.network.name === networkName) this.#retry(listener);
    }
  }

  /** Unless it is being tried. It may fail many times while its bridge is made: that makes no pause longer. */
  #retry({ isOpen, wanted: { address } }: Listener): void {
    if (isOpen || this.#opening.isRunning(address)) return;
    this.#opening.forget(address);
    this.#opening.want(address);
  }

  /** Resolves when no listener is left that may open any moment. */
  async settled(): Promise<void> {
    for (const listener of this.#byAddress.values()) this.#retry(listener);
    for (;;) {
      const expected = [...this.#byAddress.values()].filter((one) => one.isExpected);
      if (expected.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      for (const listener of expected) this.#retry(listener);
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
    void this.#opening.close();
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

  close(): void {
    this.#isClosed = true;
    if (this.isOpen) this.#options.keeper?.release(this.wanted.address, this.#options.port);
    this.#udp?.close();
    this.#tcp?.close();
    this.#udp = null;
    this.#tcp = null;
  }

  /** Rejects when it is to be tried again. */
  async open(): Promise<void> {
    try {
      await this.#open();
      this.#error = null;
      const { address, network } = this.wanted;
      this.#options.logger.info({ network: network.name, address }, "dns: listening");
    } catch (thrown) {
      this.#failed(thrown as SystemError);
      throw thrown;
    } finally {
      // It may have been closed while the sockets were being opened.
      if (this.#isClosed) this.close();
    }
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
  }
}

function problem(severity: AgentProblem["severity"], { name }: NamedNetwork, message: string): AgentProblem {
  return { severity, object: name, message };
}

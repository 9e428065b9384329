/** The node's DNS server, put together: names that follow the service, listeners that follow the names. */

import type { Event, IpamService } from "../../lib/ipam/api.ts";
import type { Logger } from "../../lib/log.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import { readContainerUpstreams } from "../../lib/runtime/container-upstreams.ts";
import { readContainerLinks } from "../../lib/runtime/named-links.ts";
import { type DnsCounters, newCounters } from "./answer/counters.ts";
import { LATE_LIMITS, LateAskers, type LateLimits } from "./answer/late-askers.ts";
import { QueryHandler } from "./answer/query-handler.ts";
import { FairQueue } from "./listen/fair-queue.ts";
import { DNS_PORT, Listeners } from "./listen/listeners.ts";
import type { PortKeeper } from "./listen/port-keeper.ts";
import { TCP_LIMITS, TcpClients, type TcpLimits } from "./listen/tcp-clients.ts";
import { Follower, type NamesChange } from "./names/follower.ts";
import { Names } from "./names/names.ts";
import { type ForwarderLimits, UpstreamForwarder } from "./upstream/forwarder.ts";
import { type Upstream, Upstreams } from "./upstream/servers.ts";

export interface DnsServerOptions {
  readonly service: Pick<IpamService, "listNetworks" | "listEndpoints">;
  readonly logger: Logger;
  /** Servers that are asked about the world; null: those of the host's resolv.conf. */
  readonly upstreams: readonly string[] | null;
  /** Where links and name servers of containers are kept: `/run/fairlead`. */
  readonly runDir: string;
  /** Default: 53. */
  readonly port?: number;
  readonly keeper?: PortKeeper;
  readonly tcpLimits?: TcpLimits;
  readonly forwarderLimits?: ForwarderLimits;
  readonly lateLimits?: LateLimits;
}

/** What it has done, and how much there is of everything. */
export interface DnsFigures extends DnsCounters {
  readonly networks: number;
  readonly attachments: number;
  readonly containers: number;
  readonly listeners: number;
  readonly connections: number;
  /** Questions that are under way upstream. */
  readonly outstanding: number;
}

const monotonic = (): number => performance.now();

export class DnsServer {
  readonly #counters = newCounters();
  readonly #names = new Names();
  readonly #follower: Follower;
  readonly #listeners: Listeners;
  readonly #clients: TcpClients;
  readonly #late: LateAskers;
  readonly #forwarder: UpstreamForwarder;

  constructor(options: DnsServerOptions) {
    const { service, logger, runDir } = options;
    const counters = this.#counters;
    const onClosed = (): void => void counters.connectionsClosed++;
    this.#clients = new TcpClients({ limits: options.tcpLimits ?? TCP_LIMITS, now: monotonic, onClosed });
    this.#forwarder = new UpstreamForwarder({
      upstreams: new Upstreams({ configured: options.upstreams, now: monotonic }),
      isOurselves: (upstream) => this.#isOurselves(upstream),
      now: monotonic,
      ...(options.forwarderLimits && { limits: options.forwarderLimits }),
    });
    this.#late = new LateAskers(options.lateLimits ?? LATE_LIMITS);
    const handler = new QueryHandler({
      names: this.#names,
      forwarder: this.#forwarder,
      late: this.#late,
      counters,
      random: Math.random,
      onFault: (thrown, source) =>
        logger.error({ err: thrown, ...source }, "dns: a query could not be answered"),
    });
    this.#listeners = new Listeners({
      handler,
      queue: new FairQueue(),
      clients: this.#clients,
      logger,
      port: options.port ?? DNS_PORT,
      ...(options.keeper && { keeper: options.keeper }),
    });
    this.#follower = new Follower({
      service,
      names: this.#names,
      logger,
      linksOf: (containerId) => readContainerLinks({ runDir, containerId }),
      upstreamsOf: (containerId) => readContainerUpstreams({ runDir, containerId }),
      onChanged: (change) => this.#onChanged(change),
    });
    void this.#clients.watch();
  }

  onReset(): void {
    this.#follower.onReset();
  }

  onEvent(event: Event): void {
    this.#follower.onEvent(event);
  }

  /** Resolves when what was handed over is answered from, and addresses that are about to appear are listened on. */
  async applied(): Promise<void> {
    await this.#follower.settled();
    await this.#listeners.settled();
  }

  problems(): readonly AgentProblem[] {
    const { trouble } = this.#follower;
    const stale: AgentProblem[] =
      trouble === ""
        ? []
        : [{ severity: "warning", object: "names", message: `names may be out of date: ${trouble}` }];
    return [...stale, ...this.#listeners.problems()];
  }

  figures(): DnsFigures {
    return {
      ...this.#counters,
      networks: this.#names.networks.length,
      attachments: this.#names.memberCount,
      containers: this.#names.containerCount,
      listeners: this.#listeners.openCount,
      connections: this.#clients.count,
      outstanding: this.#forwarder.outstanding,
    };
  }

  /** Answers nothing any more. */
  close(): void {
    this.#follower.close();
    this.#listeners.close();
    this.#clients.close();
    this.#forwarder.close();
  }

  #onChanged({ networks, touched }: NamesChange): void {
    if (networks) this.#listeners.update(this.#names.networks);
    for (const networkName of new Set([...touched].flatMap((name) => this.#names.sharing(name)))) {
      this.#listeners.retry(networkName);
      this.#late.changed(networkName);
    }
  }

  #isOurselves({ address, port }: Upstream): boolean {
    return port === this.#listeners.port && this.#listeners.isWanted(address);
  }
}

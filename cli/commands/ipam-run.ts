/** What `fairlead ipam …` does: asks the service and prints a table or JSON. Each returns the exit status. */
import { systemClock } from "../../lib/clock.ts";
import type {
  Endpoint,
  EndpointFilter,
  Finding,
  Lease,
  LeaseFilter,
  LeaseState,
  Network,
  NetworkStatus,
  PoolUsage,
  ServiceInfo,
  Tenancy,
} from "../../lib/ipam/api.ts";
import type { Io } from "../io.ts";
import { formatJson } from "../output/json.ts";
import { type Column, formatTable } from "../output/table.ts";
import { formatInstant, parseInstant } from "../output/time.ts";
import { CLI_CALLER, type CliService } from "../service.ts";
import { withService } from "../with-service.ts";

export interface CommonOptions {
  readonly socket: string;
  readonly json?: boolean;
}

export interface LeaseOptions {
  readonly network?: string;
  readonly state?: LeaseState;
  readonly container?: string;
  readonly node?: string;
  readonly address?: string;
}

export interface HistoryOptions {
  readonly at?: string;
  readonly addressSpace?: string;
}

/** Runs `body` with a client of the service at the socket. */
export async function withIpam(
  io: Io,
  { socket, json = false }: CommonOptions,
  body: (run: IpamRun) => Promise<number>,
): Promise<number> {
  return withService(io, socket, (service) => body(new IpamRun(service, io, json)));
}

export class IpamRun {
  readonly #service: CliService;
  readonly #io: Io;
  readonly #json: boolean;

  constructor(service: CliService, io: Io, json: boolean) {
    this.#service = service;
    this.#io = io;
    this.#json = json;
  }

  async status(network: string | undefined): Promise<number> {
    const service = await this.#service.info();
    const wanted =
      network === undefined ? await this.#service.listNetworks() : [await this.#service.getNetwork(network)];
    const statuses: NetworkStatus[] = [];
    for (const { name } of wanted) {
      statuses.push(await this.#service.networkStatus({ networkName: name }, CLI_CALLER));
    }
    if (this.#json) return this.#print(formatJson({ service, networks: statuses }));
    const pools = statuses.flatMap((status) => status.pools.map((usage) => ({ status, usage })));
    // Asked about all, those that have no addresses by their nature are no trouble.
    const unready = statuses
      .filter(({ ready, pools: own }) => !ready && (own.length > 0 || network !== undefined))
      .map(({ networkName, reason }) => `${networkName}: ${reason}\n`);
    const table = pools.length > 0 ? `\n${this.#table(POOL_COLUMNS, pools)}` : "\nNo networks.\n";
    const trouble = unready.length > 0 ? `\nNot ready:\n${unready.join("")}` : "";
    return this.#print(`${describeService(service)}${table}${trouble}`);
  }

  async networks(): Promise<number> {
    const networks = await this.#service.listNetworks();
    return this.#list("networks", networks, NETWORK_COLUMNS, "No networks.");
  }

  async leases(options: LeaseOptions): Promise<number> {
    const { network, container, state, node, address } = options;
    const filter: LeaseFilter = {
      ...(network !== undefined && { networkName: await this.#nameOf(network) }),
      ...(container !== undefined && { containerId: container }),
      ...(state !== undefined && { state }),
      ...(node !== undefined && { node }),
      ...(address !== undefined && { address }),
    };
    return this.#list("leases", await this.#service.listLeases(filter), LEASE_COLUMNS, "No leases.");
  }

  async endpoints({ networkName, ...filter }: EndpointFilter): Promise<number> {
    const endpoints = await this.#service.listEndpoints({
      ...filter,
      ...(networkName !== undefined && { networkName: await this.#nameOf(networkName) }),
    });
    return this.#list("endpoints", endpoints, ENDPOINT_COLUMNS, "No endpoints.");
  }

  async history(address: string, { at, addressSpace }: HistoryOptions): Promise<number> {
    const tenancies = await this.#service.whoHad({
      address,
      ...(addressSpace !== undefined && { addressSpace }),
      ...(at !== undefined && { at: parseInstant(at, systemClock.now()) }),
    });
    const when = at === undefined ? "" : " then";
    return this.#list(
      "tenancies",
      tenancies,
      TENANCY_COLUMNS,
      `Nobody had ${address}${when}, as far as the log goes.`,
    );
  }

  async check(): Promise<number> {
    const report = await this.#service.checkConsistency();
    const { findings, networks, leases, revision } = report;
    const status = findings.some(({ severity }) => severity === "error") ? 1 : 0;
    const looked = `${count(networks, "network")}, ${count(leases, "lease")}, revision ${revision}`;
    if (this.#json) await this.#print(formatJson(report));
    else if (findings.length === 0) await this.#print(`No contradictions (${looked}).\n`);
    else
      await this.#print(
        `${this.#table(FINDING_COLUMNS, findings)}\n${count(findings.length, "finding")} (${looked}).\n`,
      );
    return status;
  }

  /** A network that there is not has no leases, but whoever names it means one. @throws FairleadError not-found */
  async #nameOf(network: string): Promise<string> {
    return (await this.#service.getNetwork(network)).name;
  }

  #list<Row>(
    field: string,
    rows: readonly Row[],
    columns: readonly Column<Row>[],
    none: string,
  ): Promise<number> {
    if (this.#json) return this.#print(formatJson({ [field]: rows }));
    return this.#print(rows.length === 0 ? `${none}\n` : this.#table(columns, rows));
  }

  #table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
    return formatTable(columns, rows, this.#io.columns);
  }

  async #print(text: string): Promise<number> {
    await this.#io.out(text);
    return 0;
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

const RECOVERING =
  "Recovery nothing is granted: the store is not the one that this boot has seen, and what is attached was not told yet (fairlead ipam recover)";

function describeService(info: ServiceInfo): string {
  const { version, store, epoch, revision, startedAt, leases, recovering } = info;
  const { bound, cooling, quarantined, reserved } = leases;
  return [
    `Service  version ${version}, up since ${formatInstant(startedAt)} UTC`,
    `Store    ${store}, epoch ${epoch}, revision ${revision}`,
    `Leases   ${bound} bound, ${cooling} cooling, ${quarantined} quarantined, ${reserved} reserved`,
    ...(recovering ? [RECOVERING] : []),
    "",
  ].join("\n");
}

/** As many characters of an ID as Docker shows. */
const SHORT_ID = 12;

interface PoolRow {
  readonly status: NetworkStatus;
  readonly usage: PoolUsage;
}

const POOL_COLUMNS: readonly Column<PoolRow>[] = [
  { heading: "NETWORK", value: ({ status }) => status.networkName, cut: true },
  { heading: "POOL", value: ({ usage }) => String(usage.pool), align: "right" },
  { heading: "SUBNETS", value: ({ usage }) => usage.subnets.join(" "), cut: true },
  { heading: "SIZE", value: ({ usage }) => usage.size, align: "right" },
  { heading: "BOUND", value: ({ usage }) => String(usage.bound), align: "right" },
  { heading: "COOLING", value: ({ usage }) => String(usage.cooling), align: "right" },
  { heading: "QUARANTINED", value: ({ usage }) => String(usage.quarantined), align: "right" },
  { heading: "WITHHELD", value: ({ usage }) => usage.withheld, align: "right" },
  { heading: "FREE", value: ({ usage }) => usage.free, align: "right" },
];

const NETWORK_COLUMNS: readonly Column<Network>[] = [
  { heading: "NETWORK", value: ({ name }) => name, cut: true },
  { heading: "ID", value: ({ id }) => id.slice(0, SHORT_ID) },
  { heading: "DRIVER", value: ({ driver }) => driver },
  { heading: "ORIGIN", value: ({ origin }) => origin },
  { heading: "SUBNETS", value: ({ pools }) => subnetsOf(pools), cut: true },
  { heading: "GATEWAYS", value: ({ pools }) => gatewaysOf(pools), cut: true },
  { heading: "ATTACHMENTS", value: ({ attachments }) => String(attachments), align: "right" },
];

function subnetsOf(pools: Network["pools"]): string {
  return pools.flatMap(({ subnets }) => subnets.map(({ subnet }) => subnet)).join(" ");
}

function gatewaysOf(pools: Network["pools"]): string {
  return pools.flatMap(({ subnets }) => subnets.flatMap(({ gateway }) => gateway ?? [])).join(" ");
}

const LEASE_COLUMNS: readonly Column<Lease>[] = [
  { heading: "ADDRESS", value: ({ address }) => address },
  { heading: "NETWORK", value: ({ networkName }) => networkName, cut: true },
  { heading: "STATE", value: ({ state }) => state },
  { heading: "CONTAINER", value: ({ containerId }) => containerId, cut: true },
  { heading: "IFNAME", value: ({ ifname }) => ifname },
  { heading: "NODE", value: ({ node }) => node, cut: true },
  { heading: "SINCE", value: ({ since }) => formatInstant(since) },
  { heading: "UNTIL", value: ({ until }) => formatInstant(until) },
  { heading: "REASON", value: ({ reason }) => reason, cut: true },
];

const ENDPOINT_COLUMNS: readonly Column<Endpoint>[] = [
  { heading: "NETWORK", value: ({ networkName }) => networkName, cut: true },
  { heading: "NAMES", value: ({ names }) => names.join(" "), cut: true },
  { heading: "ADDRESSES", value: ({ addresses }) => addresses.map(({ address }) => address).join(" ") },
  { heading: "CONTAINER", value: ({ containerId }) => containerId, cut: true },
  { heading: "IFNAME", value: ({ ifname }) => ifname },
  { heading: "NODE", value: ({ node }) => node, cut: true },
  { heading: "MAC", value: ({ mac }) => mac },
  { heading: "SINCE", value: ({ acquiredAt }) => formatInstant(acquiredAt) },
];

const TENANCY_COLUMNS: readonly Column<Tenancy>[] = [
  { heading: "FROM", value: ({ from }) => formatInstant(from) },
  { heading: "TO", value: ({ to }) => formatInstant(to) },
  { heading: "NETWORK", value: ({ networkName }) => networkName, cut: true },
  { heading: "CONTAINER", value: ({ containerId }) => containerId, cut: true },
  { heading: "IFNAME", value: ({ ifname }) => ifname },
  { heading: "NODE", value: ({ node }) => node, cut: true },
  { heading: "MAC", value: ({ mac }) => mac },
];

const FINDING_COLUMNS: readonly Column<Finding>[] = [
  { heading: "SEVERITY", value: ({ severity }) => severity },
  { heading: "OBJECT", value: ({ object }) => object, cut: true },
  { heading: "PROBLEM", value: ({ problem }) => problem, cut: true },
  { heading: "REMEDY", value: ({ remedy }) => remedy, cut: true },
];

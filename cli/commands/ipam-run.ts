/** What `fairlead ipam …` does: asks the service and prints a table or JSON. Each returns the exit status. */
import { systemClock } from "../../lib/clock.ts";
import type {
  EndpointFilter,
  Lease,
  LeaseFilter,
  LeaseState,
  NetworkStatus,
  ServiceInfo,
  Tenancy,
} from "../../lib/ipam/api.ts";
import type { Io } from "../base/io.ts";
import { CLI_CALLER, type CliService } from "../base/service.ts";
import { formatJson } from "../output/json.ts";
import { writeJsonList, writeTable } from "../output/list-writer.ts";
import { type Column, formatTable } from "../output/table.ts";
import { formatInstant, parseInstant } from "../output/time.ts";
import { withService } from "../service/with-service.ts";
import {
  endpointColumns,
  FINDING_COLUMNS,
  leaseColumns,
  type NamedTenancy,
  networkColumns,
  nodeColumns,
  POOL_COLUMNS,
  type ShowId,
  showId,
  tenancyColumns,
} from "./ipam-columns.ts";

export interface CommonOptions {
  readonly socket: string;
  readonly json?: boolean;
  /** IDs whole, nothing cut. */
  readonly wholeIds?: boolean;
}

export interface LeaseOptions {
  readonly network?: string;
  readonly state?: LeaseState;
  /** Its name, its ID or the beginning of its ID. */
  readonly container?: string;
  readonly node?: string;
  readonly address?: string;
  readonly name?: string;
  /** In its state since then or later. */
  readonly since?: string;
}

export interface EndpointOptions {
  readonly network?: string;
  readonly container?: string;
  readonly node?: string;
  readonly name?: string;
}

export interface HistoryOptions {
  readonly at?: string;
  /** Stays that lasted then, or began later. */
  readonly since?: string;
  readonly addressSpace?: string;
}

/** Runs `body` with a client of the service at the socket. */
export async function withIpam(
  io: Io,
  { socket, json = false, wholeIds = false }: CommonOptions,
  body: (run: IpamRun) => Promise<number>,
): Promise<number> {
  return withService(io, socket, (service) => body(new IpamRun(service, io, { json, wholeIds })));
}

export class IpamRun {
  readonly #service: CliService;
  readonly #io: Io;
  readonly #json: boolean;
  readonly #width: number | null;
  readonly #id: ShowId;

  constructor(service: CliService, io: Io, { json, wholeIds }: { json: boolean; wholeIds: boolean }) {
    this.#service = service;
    this.#io = io;
    this.#json = json;
    this.#width = wholeIds ? null : io.columns;
    this.#id = showId(wholeIds);
  }

  async status(network: string | undefined): Promise<number> {
    const service = await this.#service.info();
    const wanted =
      network === undefined
        ? await this.#service.listNetworks()
        : [await this.#service.getNetwork({ name: network })];
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
    return this.#list("networks", networks, { columns: networkColumns(this.#id), none: "No networks." });
  }

  async leases(options: LeaseOptions): Promise<number> {
    const { network, container, state, node, address, name, since } = options;
    const from = since === undefined ? "" : parseInstant(since, systemClock.now());
    const filter: LeaseFilter = {
      ...(network !== undefined && { networkName: await this.#nameOf(network) }),
      ...(state !== undefined && { state }),
      ...(node !== undefined && { node }),
      ...(address !== undefined && { address }),
    };
    const leases = those(
      this.#service.streamLeases({ ...filter, ...wholeId(container) }),
      (lease) =>
        isMeant(lease, container) && (name === undefined || isCalled(lease, name)) && lease.since >= from,
    );
    return this.#stream("leases", leases, { columns: leaseColumns(this.#id), none: "No leases." });
  }

  async endpoints({ network, container, node, name }: EndpointOptions): Promise<number> {
    const filter: EndpointFilter = {
      ...(network !== undefined && { networkName: await this.#nameOf(network) }),
      ...(node !== undefined && { node }),
    };
    const endpoints = those(
      this.#service.streamEndpoints({ ...filter, ...wholeId(container) }),
      (endpoint) => isMeant(endpoint, container) && (name === undefined || isCalled(endpoint, name)),
    );
    return this.#stream("endpoints", endpoints, {
      columns: endpointColumns(this.#id),
      none: "No endpoints.",
    });
  }

  async nodes(): Promise<number> {
    const nodes = await this.#service.listNodes();
    return this.#list("nodes", nodes, { columns: nodeColumns(this.#id), none: "No node holds an address." });
  }

  async history(address: string, { at, since, addressSpace }: HistoryOptions): Promise<number> {
    const from = since === undefined ? "" : parseInstant(since, systemClock.now());
    const tenancies = this.#service.streamTenancies({
      address,
      ...(addressSpace !== undefined && { addressSpace }),
      ...(at !== undefined && { at: parseInstant(at, systemClock.now()) }),
    });
    const leases = await this.#service.listLeases({ address });
    const stays = those(tenancies, ({ to }) => to === null || to >= from);
    const when = at === undefined && since === undefined ? "" : " then";
    return this.#stream("tenancies", named(stays, leases), {
      columns: tenancyColumns(this.#id),
      none: `Nobody had ${address}${when}, as far as the log goes.`,
    });
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
    return (await this.#service.getNetwork({ name: network })).name;
  }

  async #stream<Row>(
    field: string,
    pieces: AsyncIterable<readonly Row[]>,
    { columns, none }: Shown<Row>,
  ): Promise<number> {
    if (this.#json) await writeJsonList(this.#io, field, pieces);
    else await writeTable(this.#io, pieces, { columns, width: this.#width, none });
    return 0;
  }

  #list<Row>(field: string, rows: readonly Row[], { columns, none }: Shown<Row>): Promise<number> {
    if (this.#json) return this.#print(formatJson({ [field]: rows }));
    return this.#print(rows.length === 0 ? `${none}\n` : this.#table(columns, rows));
  }

  #table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
    return formatTable(columns, rows, this.#width);
  }

  async #print(text: string): Promise<number> {
    await this.#io.out(text);
    return 0;
  }
}

/** How rows are shown to people. */
interface Shown<Row> {
  readonly columns: readonly Column<Row>[];
  /** What is said when there are no rows. */
  readonly none: string;
}

interface Named {
  readonly containerId: string;
  readonly names: readonly string[];
}

/** A whole ID is looked up by the service; anything else may be a name, or the beginning of an ID. */
function wholeId(container: string | undefined): { readonly containerId?: string } {
  return container !== undefined && /^[0-9a-f]{64}$/.test(container) ? { containerId: container } : {};
}

/** By a name, the ID or the beginning of the ID; nobody asked: everyone. */
function isMeant(one: Named, reference: string | undefined): boolean {
  return reference === undefined || isCalled(one, reference) || one.containerId.startsWith(reference);
}

/** Case does not matter, as where names are looked up. */
function isCalled({ names }: Named, name: string): boolean {
  return names.some((one) => one.toLowerCase() === name.toLowerCase());
}

async function* those<Row>(
  pieces: AsyncIterable<readonly Row[]>,
  isMeantToo: (row: Row) => boolean,
): AsyncGenerator<readonly Row[]> {
  for await (const piece of pieces) yield piece.filter(isMeantToo);
}

/** The log has no names: a stay has those of its lease, which is there until somebody else gets the address. */
async function* named(
  pieces: AsyncIterable<readonly Tenancy[]>,
  leases: readonly Lease[],
): AsyncGenerator<readonly NamedTenancy[]> {
  for await (const stays of pieces) yield stays.map((stay) => ({ ...stay, names: namesOf(stay, leases) }));
}

function namesOf(stay: Tenancy, leases: readonly Lease[]): readonly string[] {
  const lease = leases.find(
    ({ sequence, addressSpace }) => sequence === stay.sequence && addressSpace === stay.addressSpace,
  );
  return lease?.names ?? [];
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

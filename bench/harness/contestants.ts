/** What is measured against each other: a bridge plugin with its IPAM, each on the same kernel path. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { acquireMany } from "./load.ts";

/** One bridge network of a contestant. */
export interface BenchNetwork {
  /** Network name; also the bridge's, so at most 15 bytes. */
  readonly name: string;
  /** A /16, no two alike. */
  readonly subnet: string;
  readonly masquerade: boolean;
}

/** What a runtime hands to plugins on stdin, without what it adds itself. */
export type Configuration = Readonly<Record<string, unknown>>;

/** One plugin of a chain. */
export interface ChainLink {
  readonly executable: string;
  readonly configuration: Configuration;
  /** True for the one that is told which ports to publish. */
  readonly publishes: boolean;
}

export interface Contestant {
  readonly name: string;
  /** The interface plugin. */
  readonly executable: string;
  /** The IPAM plugin: in the same process for us, executed by the plugin for the reference. */
  readonly ipamExecutable: string;
  readonly cniPath: string;
  /** Processes that work for the plugins and outlive them; nobody else has them do anything. */
  helperPids(): readonly number[];
  /** What the interface plugin reads from stdin. */
  requestConfiguration(network: BenchNetwork): Configuration;
  /** The plugins of a network that publishes ports: as few as the contestant can do with. */
  publishingChain(network: BenchNetwork): readonly ChainLink[];
  /** The same with a plugin of its own for the ports, behind the interface plugin. */
  chainWithPortmap(network: BenchNetwork): readonly ChainLink[];
  /** Makes `count` leases in a network, of containers that never existed. */
  addLeases(network: BenchNetwork, count: number): Promise<void>;
}

function bridgeConfiguration(type: string, network: BenchNetwork, ipam: object): Configuration {
  const { name, subnet, masquerade } = network;
  const ranges = [[{ subnet }]];
  return {
    cniVersion: "1.0.0",
    name,
    type,
    bridge: name,
    isGateway: true,
    ipMasq: masquerade,
    ipam: { ...ipam, ranges, routes: [{ dst: "0.0.0.0/0" }] },
  };
}

/** `bridge` and `host-local` of the Go reference. */
export class ReferenceContestant implements Contestant {
  readonly name: string;
  readonly executable: string;
  readonly ipamExecutable: string;
  readonly cniPath: string;
  readonly #dataDirectory: string;

  constructor(name: string, pluginFolder: string, stateFolder: string) {
    this.name = name;
    this.cniPath = pluginFolder;
    this.executable = join(pluginFolder, "bridge");
    this.ipamExecutable = join(pluginFolder, "host-local");
    this.#dataDirectory = join(stateFolder, `host-local-${name.replaceAll(" ", "-")}`);
  }

  helperPids(): readonly number[] {
    return [];
  }

  requestConfiguration(network: BenchNetwork): Configuration {
    return bridgeConfiguration("bridge", network, { type: "host-local", dataDir: this.#dataDirectory });
  }

  publishingChain(network: BenchNetwork): readonly ChainLink[] {
    return this.chainWithPortmap(network);
  }

  chainWithPortmap(network: BenchNetwork): readonly ChainLink[] {
    const { name } = network;
    const portmap = { cniVersion: "1.0.0", name, type: "portmap", snat: true };
    return [
      { executable: this.executable, configuration: this.requestConfiguration(network), publishes: false },
      { executable: join(this.cniPath, "portmap"), configuration: portmap, publishes: true },
    ];
  }

  /** As host-local keeps them: a file per address that holds the container ID and the ifname. */
  async addLeases(network: BenchNetwork, count: number): Promise<void> {
    const folder = join(this.#dataDirectory, network.name);
    mkdirSync(folder, { recursive: true });
    const prefix = network.subnet.split(".").slice(0, 2).join(".");
    let last = "";
    for (let index = 0; index < count; index += 1) {
      last = `${prefix}.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`;
      writeFileSync(join(folder, last), `lease-${index}\r\neth0`);
    }
    if (last !== "") writeFileSync(join(folder, "last_reserved_ip.0"), last);
  }
}

export interface FairleadOptions extends Pick<Contestant, "name" | "helperPids"> {
  /** Folder of the executables. */
  readonly bin: string;
  /** Of the IPAM service. */
  readonly socket: string;
  /** For the state of the node. */
  readonly folder: string;
}

/**
 * `fairlead-bridge`, which has a resident worker do its work where one listens beside the IPAM service's socket, and else
 * does it in its own process.
 */
export class FairleadContestant implements Contestant {
  readonly name: string;
  readonly executable: string;
  readonly ipamExecutable: string;
  readonly cniPath: string;
  readonly #socket: string;
  readonly #stateFolder: string;
  readonly helperPids: () => readonly number[];

  constructor({ name, bin, socket, folder, helperPids }: FairleadOptions) {
    this.name = name;
    this.cniPath = bin;
    this.executable = join(bin, "fairlead-bridge");
    this.ipamExecutable = join(bin, "fairlead-ipam");
    this.#socket = socket;
    this.#stateFolder = join(folder, "node");
    this.helperPids = helperPids;
  }

  requestConfiguration(network: BenchNetwork): Configuration {
    const ipam = { type: "fairlead-ipam", socket: this.#socket, stateDir: this.#stateFolder };
    return bridgeConfiguration("fairlead-bridge", network, ipam);
  }

  /** As in the conflists that the agent writes. */
  publishingChain(network: BenchNetwork): readonly ChainLink[] {
    const configuration = { ...this.requestConfiguration(network), publishPorts: true };
    return [{ executable: this.executable, configuration, publishes: true }];
  }

  chainWithPortmap(network: BenchNetwork): readonly ChainLink[] {
    const { name } = network;
    // The socket says where a worker listens, and nothing else.
    const ipam = { socket: this.#socket };
    const portmap = { cniVersion: "1.0.0", name, type: "fairlead-portmap", ipam };
    return [
      { executable: this.executable, configuration: this.requestConfiguration(network), publishes: false },
      { executable: join(this.cniPath, "fairlead-portmap"), configuration: portmap, publishes: true },
    ];
  }

  async addLeases(network: BenchNetwork, count: number): Promise<void> {
    if (count === 0) return;
    await acquireMany({
      socket: this.#socket,
      networkName: network.name,
      subnet: network.subnet,
      callers: 32,
      count,
    });
  }
}

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

export interface Contestant {
  readonly name: string;
  /** The interface plugin. */
  readonly executable: string;
  /** The IPAM plugin: in the same process for us, executed by the plugin for the reference. */
  readonly ipamExecutable: string;
  /** The plugin that publishes ports, chained behind the interface plugin. */
  readonly portmapExecutable: string;
  readonly cniPath: string;
  /** What the plugin reads from stdin. */
  requestConfiguration(network: BenchNetwork): Readonly<Record<string, unknown>>;
  /** What the chained plugin reads from stdin, without what the runtime adds. */
  portmapConfiguration(network: BenchNetwork): Readonly<Record<string, unknown>>;
  /** Makes `count` leases in a network, of containers that never existed. */
  addLeases(network: BenchNetwork, count: number): Promise<void>;
}

function bridgeConfiguration(
  type: string,
  network: BenchNetwork,
  ipam: object,
): Readonly<Record<string, unknown>> {
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
  readonly portmapExecutable: string;
  readonly cniPath: string;
  readonly #dataDirectory: string;

  constructor(name: string, pluginFolder: string, stateFolder: string) {
    this.name = name;
    this.cniPath = pluginFolder;
    this.executable = join(pluginFolder, "bridge");
    this.ipamExecutable = join(pluginFolder, "host-local");
    this.portmapExecutable = join(pluginFolder, "portmap");
    this.#dataDirectory = join(stateFolder, `host-local-${name.replaceAll(" ", "-")}`);
  }

  requestConfiguration(network: BenchNetwork): Readonly<Record<string, unknown>> {
    return bridgeConfiguration("bridge", network, { type: "host-local", dataDir: this.#dataDirectory });
  }

  portmapConfiguration({ name }: BenchNetwork): Readonly<Record<string, unknown>> {
    return { cniVersion: "1.0.0", name, type: "portmap", snat: true };
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

/**
 * `fairlead-bridge`, which has a resident worker do its work where one listens beside the IPAM service's socket, and else
 * does it in its own process.
 */
export class FairleadContestant implements Contestant {
  readonly name: string;
  readonly executable: string;
  readonly ipamExecutable: string;
  readonly portmapExecutable: string;
  readonly cniPath: string;
  readonly #socket: string;
  readonly #stateFolder: string;

  constructor(name: string, binFolder: string, socket: string, stateFolder: string) {
    this.name = name;
    this.cniPath = binFolder;
    this.executable = join(binFolder, "fairlead-bridge");
    this.ipamExecutable = join(binFolder, "fairlead-ipam");
    this.portmapExecutable = join(binFolder, "fairlead-portmap");
    this.#socket = socket;
    this.#stateFolder = join(stateFolder, "node");
  }

  requestConfiguration(network: BenchNetwork): Readonly<Record<string, unknown>> {
    const ipam = { type: "fairlead-ipam", socket: this.#socket, stateDir: this.#stateFolder };
    return bridgeConfiguration("fairlead-bridge", network, ipam);
  }

  /** The socket says where a worker listens, and nothing else. */
  portmapConfiguration({ name }: BenchNetwork): Readonly<Record<string, unknown>> {
    return { cniVersion: "1.0.0", name, type: "fairlead-portmap", ipam: { socket: this.#socket } };
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

/**
 * The plugins that the end-to-end tests run, behind one interface: Fairlead's packaged executables, or the reference
 * plugins. The reference is the control: what passes with it is a property of the machinery, not of Fairlead.
 *
 * `FAIRLEAD_TEST_PLUGINS=reference` selects it; the default is Fairlead out of dist/bin.
 */
import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { request } from "node:http";
import { join, resolve } from "node:path";
import type { Lab } from "./lab.ts";
import type { Conflist, PluginConfiguration } from "./lab-conflist.ts";
import { Daemon, isExecutable } from "./lab-process.ts";
import { LabWorkers, workerSocketBeside } from "./lab-workers.ts";

/** Where Debian's containernetworking-plugins are. */
export const REFERENCE_DIRECTORY = "/usr/lib/cni";
/** Where `./build.sh build` puts the executables; FAIRLEAD_TEST_BIN names another folder, of an installed copy. */
export const FAIRLEAD_DIRECTORY = process.env["FAIRLEAD_TEST_BIN"] ?? resolve(__dirname, "../../../dist/bin");

/** The executables of Fairlead that take part here. All are hard links of one file. */
export const FAIRLEAD_EXECUTABLES = [
  "fairlead",
  "fairlead-bridge",
  "fairlead-ipam",
  "fairlead-loopback",
  "fairlead-macvlan",
  "fairlead-portmap",
  "fairlead-static",
] as const;

/** Subnets of the networks that the runtimes get, one address out of each. */
export const TEST_SUBNETS = ["10.88.0.0/24", "fd00:88::/64"] as const;

/** What a bridge conflist of the tests may vary in. */
export interface BridgeNetwork {
  readonly name: string;
  readonly bridge: string;
  readonly subnets: readonly string[];
  /** Keys of the bridge plugin besides type, bridge and ipam. */
  readonly keys?: Readonly<Record<string, unknown>>;
  /** Plugins after the bridge. */
  readonly chained?: readonly PluginConfiguration[];
}

export interface PluginsUnderTest {
  readonly name: "fairlead" | "reference";
  /** CNI_PATH: the plugins under test first, then the reference's, for what is chained behind them. */
  readonly cniPath: readonly string[];
  readonly bridgeType: string;
  readonly loopbackType: string;
  readonly portmapType: string;
  /** The `ipam` section that hands out one address of each subnet, with a default route per family. */
  ipam(subnets: readonly string[]): Readonly<Record<string, unknown>>;
  /** Starts what the plugins need beside them; it ends with the lab. */
  start(): Promise<void>;
  /** Addresses of a network that attachments hold now, sorted, without prefix length. */
  boundAddresses(networkName: string): Promise<string[]>;
}

/** The plugins that the environment selects, for use on the lab's host. @throws when they are not there. */
export function pluginsUnderTest(lab: Lab): PluginsUnderTest {
  requireReferencePlugins();
  if (process.env["FAIRLEAD_TEST_PLUGINS"] === "reference") return new ReferencePlugins(lab);
  requireFairlead();
  return new FairleadPlugins(lab);
}

/** @throws when the executables are not built. */
export function requireFairlead(): void {
  const missing = FAIRLEAD_EXECUTABLES.filter((name) => !isExecutable(join(FAIRLEAD_DIRECTORY, name)));
  if (missing.length > 0) {
    throw new Error(`${FAIRLEAD_DIRECTORY} lacks ${missing.join(", ")}; make them with: ./build.sh build`);
  }
}

/** @throws when the reference plugins are not installed. */
function requireReferencePlugins(): void {
  if (isExecutable(join(REFERENCE_DIRECTORY, "bridge"))) return;
  throw new Error(`no plugins in ${REFERENCE_DIRECTORY}; apt-get install containernetworking-plugins`);
}

/** The conflist of a bridge network for the plugins under test: default gateway, masquerade, hairpin. */
export function bridgeConflist(plugins: PluginsUnderTest, network: BridgeNetwork): Conflist {
  return {
    cniVersion: "1.0.0",
    cniVersions: ["0.3.1", "0.4.0", "1.0.0", ...(plugins.name === "fairlead" ? ["1.1.0"] : [])],
    name: network.name,
    plugins: [
      {
        type: plugins.bridgeType,
        bridge: network.bridge,
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        capabilities: { ips: true, mac: true },
        ...network.keys,
        ipam: plugins.ipam(network.subnets),
      },
      ...(network.chained ?? []),
    ],
  };
}

/** Publishes ports for whoever asks the runtime to, behind a bridge. */
export function portmapOf(plugins: PluginsUnderTest): PluginConfiguration {
  // The socket tells where a resident worker would listen; the plugin itself has no addresses to ask for.
  const { socket } = plugins.ipam([]);
  return {
    type: plugins.portmapType,
    capabilities: { portMappings: true },
    ...(typeof socket === "string" && { ipam: { socket } }),
  };
}

/**
 * What of a bridge network publishes ports, in as few plugins as those under test need: Fairlead's bridge by itself, as in the
 * conflists of the agent, the reference's with another plugin behind it.
 */
export function publishingOf(plugins: PluginsUnderTest): Pick<BridgeNetwork, "keys" | "chained"> {
  if (plugins.name === "reference") return { chained: [portmapOf(plugins)] };
  return { keys: { publishPorts: true, capabilities: { ips: true, mac: true, portMappings: true } } };
}

/**
 * Makes one folder that holds every plugin of `cniPath`, the first of each name, as symbolic links: runtimes take a
 * single plugin folder. Returns its path.
 */
export function stagePlugins(lab: Lab, cniPath: readonly string[]): string {
  const stage = lab.folder("cni-bin");
  for (const directory of cniPath) {
    for (const name of readdirSync(directory)) {
      if (!existsSync(join(stage, name))) symlinkSync(join(directory, name), join(stage, name));
    }
  }
  return stage;
}

/** Writes the conflist into a configuration folder of the lab. Returns the folder. */
export function stageConflist(lab: Lab, conflist: Conflist): string {
  const folder = lab.folder("cni-conf");
  lab.file(join("cni-conf", "10-test.conflist"), JSON.stringify(conflist, null, 2));
  return folder;
}

function defaultRoutes(subnets: readonly string[]): { dst: string }[] {
  const families = new Set(subnets.map((subnet) => (subnet.includes(":") ? "::/0" : "0.0.0.0/0")));
  return [...families].map((dst) => ({ dst }));
}

function rangesOf(subnets: readonly string[]): { subnet: string }[][] {
  return subnets.map((subnet) => [{ subnet }]);
}

class ReferencePlugins implements PluginsUnderTest {
  readonly name = "reference";
  readonly cniPath = [REFERENCE_DIRECTORY];
  readonly bridgeType = "bridge";
  readonly loopbackType = "loopback";
  readonly portmapType = "portmap";
  readonly #dataDirectory: string;

  constructor(lab: Lab) {
    this.#dataDirectory = join(lab.directory, "host-local");
  }

  ipam(subnets: readonly string[]): Readonly<Record<string, unknown>> {
    const ranges = rangesOf(subnets);
    return { type: "host-local", dataDir: this.#dataDirectory, ranges, routes: defaultRoutes(subnets) };
  }

  async start(): Promise<void> {
    mkdirSync(this.#dataDirectory, { recursive: true });
  }

  async boundAddresses(networkName: string): Promise<string[]> {
    const folder = join(this.#dataDirectory, networkName);
    const files = existsSync(folder) ? readdirSync(folder) : [];
    return files.filter((name) => name !== "lock" && !name.startsWith("last_reserved_ip")).sort();
  }
}

class FairleadPlugins implements PluginsUnderTest {
  readonly name = "fairlead";
  readonly cniPath = [FAIRLEAD_DIRECTORY, REFERENCE_DIRECTORY];
  readonly bridgeType = "fairlead-bridge";
  readonly loopbackType = "fairlead-loopback";
  readonly portmapType = "fairlead-portmap";
  readonly #lab: Lab;
  readonly #service: IpamServiceProcess;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.#service = new IpamServiceProcess(lab);
  }

  ipam(subnets: readonly string[]): Readonly<Record<string, unknown>> {
    const { socket } = this.#service;
    const stateDir = join(this.#lab.directory, "node");
    return {
      type: "fairlead-ipam",
      socket,
      stateDir,
      ranges: rangesOf(subnets),
      routes: defaultRoutes(subnets),
    };
  }

  /** With resident workers where the environment says how many. */
  async start(): Promise<void> {
    await this.#service.start();
    const workers = Number(process.env["FAIRLEAD_TEST_WORKERS"] ?? 0);
    if (workers === 0) return;
    const executable = join(FAIRLEAD_DIRECTORY, "fairlead");
    await LabWorkers.start(this.#lab, {
      executable,
      socket: workerSocketBeside(this.#service.socket),
      count: workers,
    });
  }

  boundAddresses(networkName: string): Promise<string[]> {
    return this.#service.boundAddresses(networkName);
  }
}

/** `fairlead server` with a store and a socket in the lab's folder. */
export class IpamServiceProcess {
  readonly socket: string;
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.socket = join(lab.directory, "ipam.sock");
  }

  /** Starts it on the lab's host and waits until it serves; it stops with the lab. */
  async start(): Promise<void> {
    const stateDir = this.#lab.folder("server");
    const config = this.#lab.file("server.yaml", `socket: ${this.socket}\nstateDir: ${stateDir}\n`);
    const argv = this.#lab.inHost(join(FAIRLEAD_DIRECTORY, "fairlead"), "server", "--config", config);
    const server = Daemon.start(argv, join(this.#lab.directory, "server.log"));
    this.#lab.defer("stop the IPAM service", () => server.stop());
    await server.waitUntilReady(() => this.#answers());
  }

  /** Body of `GET path`, parsed. @throws when the service does not answer 200. */
  async get(path: string): Promise<unknown> {
    const { status, body } = await getOverUnixSocket(this.socket, path);
    if (status !== 200) throw new Error(`GET ${path}: HTTP ${status}: ${body}`);
    return JSON.parse(body);
  }

  async boundAddresses(networkName: string): Promise<string[]> {
    const query = new URLSearchParams({ networkName, state: "bound" });
    const answer = (await this.get(`/v1/leases?${query}`)) as LeaseList;
    const leases = "leases" in answer ? answer.leases : answer;
    return leases.map((lease) => lease.address).sort();
  }

  async #answers(): Promise<boolean> {
    return getOverUnixSocket(this.socket, "/v1/leases").then(
      ({ status }) => status === 200,
      () => false,
    );
  }
}

type LeaseRow = { readonly address: string };
type LeaseList = readonly LeaseRow[] | { readonly leases: readonly LeaseRow[] };

/** One request to a service on a unix socket; settles with whatever it answers. */
export function getOverUnixSocket(
  socketPath: string,
  path: string,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, timeout: 5_000, agent: false }, (answer) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        body += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
      answer.on("error", reject);
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`GET ${path}: no answer in 5 s`)));
    outgoing.on("error", reject);
    outgoing.end();
  });
}

/**
 * Networks of the service, containers on them by the conflists that the agent wrote, and probes between them.
 *
 * Every container listens on TCP port 80 in both families. On the host TCP ports 53 and 8080 answer.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CreateNetworkRequest, Network } from "../../../lib/ipam/api.ts";
import { AgentLab, CALLER } from "./agent-lab.ts";
import { inNetns, netnsPath } from "./lab.ts";
import { FAIRLEAD_DIRECTORY } from "./lab-plugins.ts";
import { type CommandOutcome, command, Daemon, labEnvironment, tryCommand } from "./lab-process.ts";

export type Family = 4 | 6;

export interface IsolatedContainer {
  readonly name: string;
  readonly networkName: string;
  /** Path of its netns. */
  readonly netns: string;
  readonly address: Readonly<Record<Family, string>>;
  /** Empty on a network without IPv6. */
  readonly linkLocal: string;
  /** What ADD of the bridge plugin answered. */
  readonly result: object;
}

export interface PluginCall {
  /** Container ID. */
  readonly name: string;
  readonly netns: string;
  /** Added to the configuration. */
  readonly keys?: object;
  /** Default: the bridge plugin. */
  readonly type?: string;
  /** Command line before the plugin's. */
  readonly wrapper?: readonly string[];
}

/** Accepts connections on a port of all addresses of both families until it is stopped. */
const LISTENER = `
import socket, sys
sockets = [socket.create_server(("::", int(p)), family=socket.AF_INET6, dualstack_ipv6=True) for p in sys.argv[1:]]
import selectors
s = selectors.DefaultSelector()
[s.register(one, selectors.EVENT_READ) for one in sockets]
print("ready", flush=True)
while True:
    for key, _ in s.select():
        key.fileobj.accept()[0].close()
`;

export class IsolationLab {
  readonly under: AgentLab;

  private constructor(under: AgentLab) {
    this.under = under;
  }

  static async open(name: string): Promise<IsolationLab> {
    const under = await AgentLab.open(name, { dns: { enabled: false }, workers: 0 });
    try {
      await under.startServer();
      await under.startAgent();
      return new IsolationLab(under);
    } catch (cause) {
      await under.close();
      throw cause;
    }
  }

  close(): Promise<void> {
    return this.under.close();
  }

  /** Makes a dual-stack network; returns when it is on the node. */
  async network(name: string, request: Partial<CreateNetworkRequest> = {}): Promise<Network> {
    const network = await this.under.service.createNetwork({ name, ...request }, CALLER);
    await this.under.agent.sync();
    return network;
  }

  /** The conflist of a network, as a runtime reads it. */
  conflist(networkName: string): { cniVersion: string; name: string; plugins: Record<string, unknown>[] } {
    const { cniConfDir } = this.under;
    const file = readdirSync(cniConfDir).find((entry) => entry.endsWith(`-fairlead-${networkName}.conflist`));
    return JSON.parse(readFileSync(join(cniConfDir, file ?? `no conflist of ${networkName}`), "utf8"));
  }

  /** Attaches a new container, and has it listen; with `hostPort`, its port 80 is published on all addresses of the host. */
  async container(name: string, networkName: string, hostPort = 0): Promise<IsolatedContainer> {
    const netns = await this.under.lab.addContainer(name);
    const keys = { runtimeConfig: { portMappings: [{ hostPort, containerPort: 80, protocol: "tcp" }] } };
    const outcome = await this.plugin("ADD", networkName, { name, netns, keys });
    if (outcome.status !== 0) throw new Error(`ADD: ${outcome.stdout}${outcome.stderr}`);
    const result = JSON.parse(outcome.stdout) as { ips: { address: string }[] };
    const { ips } = result;
    const addresses = ips.map(({ address }) => address.split("/")[0] ?? "");
    await this.listen(netns, "80");
    return {
      name,
      networkName,
      netns,
      address: {
        4: addresses.find((address) => !address.includes(":")) ?? "",
        6: addresses.find((address) => address.includes(":")) ?? "",
      },
      linkLocal: await this.#linkLocal(netns),
      result,
    };
  }

  /** Runs a plugin of a network's conflist. */
  plugin(
    verb: string,
    networkName: string,
    { name, netns, keys = {}, wrapper = [], type = "fairlead-bridge" }: PluginCall,
  ): Promise<CommandOutcome> {
    const { cniVersion, plugins } = this.conflist(networkName);
    const plugin = plugins.find((candidate) => candidate["type"] === type);
    return tryCommand(this.under.lab.inHost(...wrapper, join(FAIRLEAD_DIRECTORY, type)), {
      env: {
        ...labEnvironment(),
        CNI_COMMAND: verb,
        CNI_PATH: FAIRLEAD_DIRECTORY,
        CNI_CONTAINERID: name,
        CNI_NETNS: netns,
        CNI_IFNAME: "eth0",
      },
      input: JSON.stringify({ ...plugin, name: networkName, cniVersion, ...keys }),
    });
  }

  /** Listens on TCP ports in the netns at `path`. */
  async listen(path: string, ...ports: string[]): Promise<void> {
    const log = join(this.under.lab.directory, `listen-${path.split("/").at(-1)}.log`);
    const daemon = Daemon.start(inNetns(path, "python3", "-c", LISTENER, ...ports), log);
    this.under.lab.defer("stop a listener", () => daemon.stop());
    await daemon.waitUntilReady(async () => readFileSync(log, "utf8").includes("ready"));
  }

  get host(): string {
    return netnsPath(this.under.lab.hostNetns);
  }

  get internet(): string {
    return netnsPath(this.under.lab.internetNetns);
  }

  async #linkLocal(netns: string): Promise<string> {
    const shown = await command(
      inNetns(netns, "ip", "-6", "-j", "addr", "show", "dev", "eth0", "scope", "link"),
    );
    const links = JSON.parse(shown) as { addr_info?: { local?: string }[] }[];
    return links.flatMap(({ addr_info = [] }) => addr_info).find(({ local }) => local)?.local ?? "";
  }
}

/** Whether an echo comes back. Three tries where one is expected, one where none is. */
export async function pings(from: string, target: string, isExpected = true): Promise<boolean> {
  const tries = isExpected ? "3" : "1";
  const ping = ["ping", "-n", "-q", "-c", tries, "-i", "0.2", "-W", "1", target];
  return (await tryCommand(inNetns(from, ...ping))).status === 0;
}

/** Whether a TCP connection is made within a second; one that is refused is none. */
export async function connects(from: string, target: string, port: number): Promise<boolean> {
  const script = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)";
  return (await tryCommand(inNetns(from, "python3", "-c", script, target, String(port)))).status === 0;
}

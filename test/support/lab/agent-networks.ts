/** What the agent makes of networks on a node, as its tests look at it. */
import { join } from "node:path";
import type { Network } from "../../../lib/ipam/api.ts";
import { AgentLab, CALLER } from "./agent-lab.ts";
import { FAIRLEAD_DIRECTORY } from "./lab-plugins.ts";
import { command, labEnvironment } from "./lab-process.ts";

interface ShownLink {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly ifalias?: string;
  readonly address: string;
  readonly addr_info: readonly {
    readonly local: string;
    readonly prefixlen: number;
    readonly scope: string;
  }[];
}

/** The bridge of a network that names none. */
export const bridgeOf = ({ id }: Network): string => `fl-${id.slice(0, 12)}`;

export class AgentNetworks {
  readonly under: AgentLab;

  private constructor(under: AgentLab) {
    this.under = under;
  }

  /** Of an agent that does nothing but networks. */
  static async open(): Promise<AgentNetworks> {
    const off = { dns: { enabled: false }, workers: 0, firewall: { accept: "off" } };
    return new AgentNetworks(await AgentLab.open("agent", off));
  }

  async start(): Promise<void> {
    await this.under.startServer();
    await this.under.startAgent();
    await this.under.agent.sync();
  }

  async create(name: string, request: object = {}): Promise<Network> {
    const network = await this.under.service.createNetwork({ name, ...request }, CALLER);
    expect((await this.under.agent.sync()).problems).toEqual([]);
    return network;
  }

  async links(): Promise<ShownLink[]> {
    return JSON.parse(await this.under.lab.host(["ip", "-j", "-d", "addr"])) as ShownLink[];
  }

  async bridges(): Promise<string[]> {
    const shown = JSON.parse(
      await this.under.lab.host(["ip", "-j", "link", "show", "type", "bridge"]),
    ) as ShownLink[];
    return shown.flatMap(({ ifname }) => ifname ?? []).sort();
  }

  ruleset(): Promise<string> {
    return this.under.lab.host(["nft", "list", "ruleset"]);
  }

  conflistPath(name: string): string {
    return join(this.under.cniConfDir, `85-fairlead-${name}.conflist`);
  }

  /** Runs the first plugin of a conflist as a runtime does, for a container of its own. */
  async plugin(verb: string, conflist: { plugins: object[]; [key: string]: unknown }): Promise<string> {
    const netns = `${this.under.lab.hostNetns}-c`;
    if (verb === "ADD") await this.under.lab.addContainer("c");
    const { name, cniVersion, plugins } = conflist;
    const attachments = verb === "GC" ? { "cni.dev/valid-attachments": [] } : {};
    return command(this.under.lab.inHost(join(FAIRLEAD_DIRECTORY, "fairlead-bridge")), {
      env: {
        ...labEnvironment(),
        CNI_COMMAND: verb,
        CNI_PATH: FAIRLEAD_DIRECTORY,
        ...(verb !== "GC" && { CNI_CONTAINERID: "c1", CNI_NETNS: `/run/netns/${netns}`, CNI_IFNAME: "eth0" }),
      },
      input: JSON.stringify({ ...plugins[0], name, cniVersion, ...attachments }),
    });
  }
}

/** A lab for `fairlead-macvlan`: networks on a wire whose far end is another machine's. */
import { command } from "./lab-process.ts";
import {
  type AnyResult,
  type CniError,
  type Configuration,
  type Container,
  expectFailure,
  expectSilence,
  expectSuccess,
  PluginLab,
  type TestNetwork,
} from "./plugin-lab.ts";

export const MACVLAN = "fairlead-macvlan";

/** A link of the host, up, with a netns at its other end. */
export interface Wire {
  /** Name of the host's end. */
  readonly master: string;
  /** Path of the netns at the other end, whose link is `wire0`. */
  readonly far: string;
}

/** What `ip -j -d link` says of a macvlan. */
export interface ShownMacvlan {
  readonly ifname: string;
  readonly address: string;
  readonly mtu: number;
  readonly ifalias?: string;
  readonly flags: readonly string[];
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: Readonly<Record<string, unknown>> };
}

export class MacvlanLab {
  readonly base: PluginLab;
  #wires = 0;

  private constructor(base: PluginLab) {
    this.base = base;
  }

  static async open(name: string): Promise<MacvlanLab> {
    return new MacvlanLab(await PluginLab.open(name));
  }

  close(): Promise<void> {
    return this.base.close();
  }

  async wire(): Promise<Wire> {
    this.#wires += 1;
    const { lab } = this.base;
    const master = `mac${this.#wires}`;
    const name = `${lab.hostNetns}-far${this.#wires}`;
    const far = await lab.addNetns(name);
    const peer = ["type", "veth", "peer", "name", "wire0", "netns", name];
    await lab.host(["ip", "link", "add", master, ...peer]);
    await lab.host(["ip", "link", "set", master, "up"]);
    await command(["ip", "-n", name, "link", "set", "wire0", "up"]);
    return { master, far };
  }

  /** Request configuration with one IPv4 address. `keys` win. */
  config(network: TestNetwork, { master }: Pick<Wire, "master">, keys: Configuration = {}): Configuration {
    const ipam = this.base.plugins.ipam([network.subnet]);
    return { cniVersion: "1.0.0", name: network.name, type: MACVLAN, master, ipam, ...keys };
  }

  async add(container: Container, config: Configuration): Promise<AnyResult> {
    const answer = await this.base.call({ verb: "ADD", container, config, type: MACVLAN });
    expectSuccess(answer);
    return JSON.parse(answer.stdout) as AnyResult;
  }

  /** A verb that must succeed and print nothing. */
  async succeed(verb: string, container: Container | undefined, config: Configuration): Promise<void> {
    expectSilence(await this.base.call({ verb, ...(container && { container }), config, type: MACVLAN }));
  }

  /** A verb that must fail properly. Returns the error object. */
  async fail(verb: string, container: Container | undefined, config: Configuration): Promise<CniError> {
    return expectFailure(
      await this.base.call({ verb, ...(container && { container }), config, type: MACVLAN }),
    );
  }

  /** The container's link, as ip(8) shows it. */
  async link(container: Container): Promise<ShownMacvlan | undefined> {
    const [link] = await this.base.inContainer<ShownMacvlan>(
      container,
      "-d",
      "link",
      "show",
      "dev",
      container.ifname,
    );
    return link;
  }
}

/**
 * A host on which the conformance suite calls single plugins with whatever environment and stdin it likes, and
 * looks at the kernel with other tools.
 *
 * Every network and container of one lab has a name, a bridge and a subnet of its own, so that one test never sees
 * what another made.
 */
import { chmodSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Lab } from "./lab.ts";
import { findPlugin } from "./lab-conflist.ts";
import { type PluginsUnderTest, pluginsUnderTest } from "./lab-plugins.ts";
import { command, labEnvironment, tryCommand } from "./lab-process.ts";

/** A container as its runtime sees it. */
export interface Container {
  readonly containerId: string;
  /** Path of its netns. */
  readonly netns: string;
  readonly ifname: string;
  /** CNI_ARGS. */
  readonly args?: string;
}

export type Configuration = Readonly<Record<string, unknown>>;

/** A network of one test: its request configuration, and what in it is unique. */
export interface TestNetwork {
  readonly name: string;
  readonly bridge: string;
  /** IPv4, /24. */
  readonly subnet: string;
  /** IPv6, /64. */
  readonly subnet6: string;
}

/** How one call ended. */
export interface Answer {
  /** Exit status; null when it was killed, which is a failure of every test. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A result of any version, as loosely typed as a runtime reads it. */
export interface AnyResult {
  readonly cniVersion: string;
  readonly interfaces?: readonly { name: string; mac?: string; mtu?: number; sandbox?: string }[];
  readonly ips?: readonly { version?: string; address: string; gateway?: string; interface?: number }[];
  readonly routes?: readonly Readonly<Record<string, unknown>>[];
  readonly dns?: Readonly<Record<string, unknown>>;
  readonly ip4?: { ip: string; gateway?: string; routes?: readonly Readonly<Record<string, unknown>>[] };
  readonly ip6?: { ip: string; gateway?: string; routes?: readonly Readonly<Record<string, unknown>>[] };
}

export interface CniError {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/** A call that is described whole: nothing is added to it but PATH. */
export interface RawCall {
  /** Name of the executable. Default: the bridge. */
  readonly type?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  /** Command line before the plugin's: `unshare -m …`. */
  readonly wrapper?: readonly string[];
}

export interface Call {
  readonly verb: string;
  readonly container?: Container;
  readonly config: Configuration;
  readonly type?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly wrapper?: readonly string[];
}

/** Longest that one call may take. A plugin that waits for a service must have given up by then. */
const CALL_TIMEOUT_MS = 90_000;
/** Files that run side by side share the machine's locks, which go by the names of bridges and attachments. */
const WORKER = process.env["JEST_WORKER_ID"] ?? "0";

export class PluginLab {
  readonly lab: Lab;
  readonly plugins: PluginsUnderTest;
  #networks = 0;
  #containers = 0;

  private constructor(lab: Lab, plugins: PluginsUnderTest) {
    this.lab = lab;
    this.plugins = plugins;
  }

  static async open(name: string): Promise<PluginLab> {
    const lab = await Lab.open(name);
    try {
      const plugins = pluginsUnderTest(lab);
      await plugins.start();
      return new PluginLab(lab, plugins);
    } catch (cause) {
      await lab.close();
      throw cause;
    }
  }

  close(): Promise<void> {
    return this.lab.close();
  }

  /** A network that nobody else uses. */
  network(): TestNetwork {
    this.#networks += 1;
    const number = this.#networks;
    return {
      name: `conf-${WORKER}-${number}`,
      bridge: `flc${WORKER}x${number}`,
      subnet: `10.${90 + (number >> 8)}.${number & 0xff}.0/24`,
      subnet6: `fd00:c0f:${number.toString(16)}::/64`,
    };
  }

  /** A container with an empty netns. */
  async container(): Promise<Container> {
    this.#containers += 1;
    const number = this.#containers;
    const netns = await this.lab.addContainer(`c${number}`);
    return { containerId: `conformance-${WORKER}-${number}`, netns, ifname: "eth0" };
  }

  /** Request configuration of a bridge with gateway, masquerade and one IPv4 address. `keys` win. */
  bridge(network: TestNetwork, keys: Configuration = {}): Configuration {
    return {
      cniVersion: "1.0.0",
      name: network.name,
      type: this.plugins.bridgeType,
      bridge: network.bridge,
      isGateway: true,
      ipMasq: true,
      ipam: this.plugins.ipam([network.subnet]),
      ...keys,
    };
  }

  /** Calls a plugin as a runtime does. */
  call({ verb, container, config, type, env = {}, wrapper = [] }: Call): Promise<Answer> {
    const attachment = container && {
      CNI_CONTAINERID: container.containerId,
      CNI_NETNS: container.netns,
      CNI_IFNAME: container.ifname,
      ...(container.args !== undefined && { CNI_ARGS: container.args }),
    };
    return this.callRaw({
      ...(type !== undefined && { type }),
      env: { CNI_COMMAND: verb, CNI_PATH: this.plugins.cniPath.join(":"), ...attachment, ...env },
      stdin: JSON.stringify(config),
      wrapper,
    });
  }

  async callRaw({ type = this.plugins.bridgeType, env, stdin, wrapper = [] }: RawCall): Promise<Answer> {
    const argv = this.lab.inHost(...wrapper, findPlugin(this.plugins.cniPath, type));
    const { PATH = "" } = labEnvironment();
    const outcome = await tryCommand(argv, {
      env: { PATH, ...env },
      input: stdin,
      timeoutMs: CALL_TIMEOUT_MS,
    });
    return { status: outcome.status, stdout: outcome.stdout, stderr: outcome.stderr };
  }

  /** ADD that must succeed. */
  async add(container: Container, config: Configuration): Promise<AnyResult> {
    const answer = await this.call({ verb: "ADD", container, config });
    expectSuccess(answer);
    return JSON.parse(answer.stdout) as AnyResult;
  }

  /** A verb that must succeed and print nothing. */
  async succeed(verb: string, container: Container | undefined, config: Configuration): Promise<void> {
    const answer = await this.call({ verb, ...(container && { container }), config });
    expectSilence(answer);
  }

  /** A verb that must fail properly. Returns the error object. */
  async fail(verb: string, container: Container | undefined, config: Configuration): Promise<CniError> {
    return expectFailure(await this.call({ verb, ...(container && { container }), config }));
  }

  // ---- the kernel, as ip(8) and nft(8) see it

  /** `ip -j …` in a container. */
  async inContainer<T>(container: Container, ...argv: readonly string[]): Promise<T[]> {
    const namespace = container.netns.slice("/run/netns/".length);
    return parseList<T>(await command(["ip", "-n", namespace, "-j", ...argv]));
  }

  /** `ip -j …` on the host. */
  async onHost<T>(...argv: readonly string[]): Promise<T[]> {
    return parseList<T>(await this.lab.host(["ip", "-j", ...argv]));
  }

  /** Names of the links in a container besides the loopback. */
  async containerLinks(container: Container): Promise<string[]> {
    const links = await this.inContainer<{ ifname: string }>(container, "link");
    return links.map(({ ifname }) => ifname).filter((name) => name !== "lo");
  }

  /** Addresses of a link in a container with their length, without link-local ones, sorted. */
  async containerAddresses(container: Container): Promise<string[]> {
    const links = await this.inContainer<LinkAddresses>(container, "addr", "show", "dev", container.ifname);
    return globalAddresses(links);
  }

  /** The same for a link on the host. */
  async hostAddresses(link: string): Promise<string[]> {
    return globalAddresses(await this.onHost<LinkAddresses>("addr", "show", "dev", link));
  }

  async mac(container: Container): Promise<string> {
    const links = await this.inContainer<{ address: string }>(
      container,
      "link",
      "show",
      "dev",
      container.ifname,
    );
    return links[0]?.address ?? "";
  }

  /**
   * All that an ADD could leave behind: links and addresses on the host and in the container, rules, leases, and
   * the files of the node.
   */
  async traces(container: Container, network: TestNetwork): Promise<Readonly<Record<string, unknown>>> {
    return {
      hostLinks: await this.lab.hostLinks(),
      hostAddresses: globalAddresses(await this.onHost<LinkAddresses>("addr")),
      containerLinks: await this.containerLinks(container),
      rules: await this.lab.host(["nft", "-s", "list", "ruleset"]),
      leases: await this.plugins.boundAddresses(network.name),
      files: this.nodeFiles(),
    };
  }

  /** Paths of the files that plugins wrote for later, besides locks. */
  nodeFiles(): string[] {
    return readdirSync(this.lab.folder("node"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith("lock"))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  }

  /**
   * Puts a shell script into a folder of the lab, as a plugin. Returns the folder, for CNI_PATH.
   *
   * @param lines run by /bin/sh; `$DIR` is the folder.
   */
  scriptedPlugin(type: string, lines: readonly string[]): string {
    const folder = this.lab.folder("scripts");
    const file = this.lab.file(
      join("scripts", type),
      ["#!/bin/sh", `DIR=${folder}`, ...lines, ""].join("\n"),
    );
    chmodSync(file, 0o755);
    return folder;
  }
}

interface LinkAddresses {
  readonly addr_info?: readonly {
    readonly local: string;
    readonly prefixlen: number;
    readonly scope: string;
  }[];
}

function globalAddresses(links: readonly LinkAddresses[]): string[] {
  return links
    .flatMap(({ addr_info = [] }) => addr_info)
    .filter(({ scope }) => scope === "global")
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`)
    .sort();
}

/** iproute2 prints `[{},{…}]` or nothing where there is nothing to list. */
function parseList<T>(text: string): T[] {
  if (text.trim() === "") return [];
  return (JSON.parse(text) as T[]).filter((entry) => Object.keys(entry as object).length > 0);
}

export function expectSuccess(answer: Answer): void {
  // One value, so that a failure shows all of it.
  expect(answer).toEqual({ status: 0, stdout: answer.stdout, stderr: answer.stderr });
}

/** Success with nothing on stdout: every verb but ADD and VERSION. */
export function expectSilence(answer: Answer): void {
  expect(answer).toEqual({ status: 0, stdout: "", stderr: answer.stderr });
}

/** An error as the specification has it: exit 1, one object on stdout. Returns the object. */
export function expectFailure(answer: Answer): CniError {
  expect(answer).toEqual({
    status: 1,
    stdout: expect.stringMatching(/^\{.*\}\s*$/su),
    stderr: answer.stderr,
  });
  const error = JSON.parse(answer.stdout) as CniError;
  expect(error).toMatchObject({
    cniVersion: expect.any(String),
    code: expect.any(Number),
    msg: expect.stringMatching(/./),
  });
  return error;
}

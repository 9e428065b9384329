/**
 * Runs a conflist the way a container runtime does: ADD in order, DEL in reverse, the result handed from plugin to
 * plugin and kept for DEL and CHECK.
 *
 * Source: CNI SPEC 1.1.0, sections 2 "Execution Protocol" and 3 "Execution of Network Configurations".
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import { type CommandOutcome, labEnvironment, tryCommand } from "./lab-process.ts";

/** A plugin configuration as it stands in a conflist. */
export interface PluginConfiguration {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly [key: string]: unknown;
}

export interface Conflist {
  readonly cniVersion: string;
  /** Versions that a runtime may pick from besides `cniVersion`. */
  readonly cniVersions?: readonly string[];
  readonly name: string;
  readonly plugins: readonly PluginConfiguration[];
}

export interface CniResult {
  readonly cniVersion: string;
  readonly interfaces?: readonly {
    readonly name: string;
    readonly mac?: string;
    readonly sandbox?: string;
  }[];
  readonly ips?: readonly {
    readonly address: string;
    readonly gateway?: string;
    readonly interface?: number;
  }[];
  readonly routes?: readonly { readonly dst: string; readonly gw?: string }[];
  readonly dns?: Readonly<Record<string, unknown>>;
}

/** One attachment from the runtime's side. */
export interface Attachment {
  readonly containerId: string;
  /** Path of the container netns; "" where the runtime no longer knows it. */
  readonly netns: string;
  readonly ifname: string;
  /** CNI_ARGS. */
  readonly args?: string;
  /** By capability; a plugin gets those that its configuration declares. */
  readonly runtimeConfig?: Readonly<Record<string, unknown>>;
}

export type Verb = "ADD" | "DEL" | "CHECK" | "GC" | "STATUS" | "VERSION";

/** An error object that a plugin printed, with where it came from. */
class CniFailure extends Error {
  readonly code: number;

  constructor(verb: Verb, type: string, outcome: CommandOutcome) {
    super(`${verb} ${type}: exit status ${outcome.status}: ${outcome.stdout.trim()}${outcome.stderr.trim()}`);
    this.name = "CniFailure";
    this.code = errorCode(outcome.stdout);
  }
}

function errorCode(stdout: string): number {
  try {
    return Number((JSON.parse(stdout) as { code?: unknown }).code ?? -1);
  } catch {
    return -1;
  }
}

/** Full path of the plugin `type`. @throws when no folder of `cniPath` holds it. */
export function findPlugin(cniPath: readonly string[], type: string): string {
  const file = cniPath.map((directory) => join(directory, type)).find((path) => existsSync(path));
  if (file === undefined) throw new Error(`plugin ${type} not found in ${cniPath.join(":")}`);
  return file;
}

/** One network on one lab's host, driven through its conflist. */
export class ConflistRunner {
  readonly conflist: Conflist;
  readonly #lab: Lab;
  readonly #cniPath: readonly string[];
  /** Final ADD results by attachment: what libcni keeps under /var/lib/cni/results. */
  readonly #results = new Map<string, CniResult>();

  constructor(lab: Lab, cniPath: readonly string[], conflist: Conflist) {
    this.#lab = lab;
    this.#cniPath = cniPath;
    this.conflist = conflist;
  }

  /** @returns the result of the last plugin. @throws CniFailure after DEL of the whole list, as runtimes do. */
  async add(attachment: Attachment): Promise<CniResult> {
    try {
      let result: CniResult | undefined;
      for (const plugin of this.conflist.plugins) result = await this.#addOne(plugin, attachment, result);
      if (result === undefined) throw new Error(`conflist ${this.conflist.name} lists no plugin`);
      this.#results.set(attachmentId(attachment), result);
      return result;
    } catch (cause) {
      await this.del(attachment);
      throw cause;
    }
  }

  /** Repeatable. The first one passes the result of ADD on; any further one has none, as in containerd. */
  async del(attachment: Attachment): Promise<void> {
    const prevResult = this.#results.get(attachmentId(attachment));
    for (const plugin of [...this.conflist.plugins].reverse()) {
      await this.#run("DEL", plugin, { attachment, extra: prevResult && { prevResult } });
    }
    this.#results.delete(attachmentId(attachment));
  }

  async check(attachment: Attachment): Promise<void> {
    const prevResult = this.#results.get(attachmentId(attachment));
    for (const plugin of this.conflist.plugins)
      await this.#run("CHECK", plugin, { attachment, extra: { prevResult } });
  }

  /** GC with the attachments that are still to be kept. Needs cniVersion 1.1.0. */
  async gc(valid: readonly Pick<Attachment, "containerId" | "ifname">[]): Promise<void> {
    const attachments = valid.map(({ containerId, ifname }) => ({ containerID: containerId, ifname }));
    const extra = { "cni.dev/valid-attachments": attachments, "cni.dev/attachments": attachments };
    for (const plugin of this.conflist.plugins) await this.#run("GC", plugin, { extra });
  }

  async #addOne(
    plugin: PluginConfiguration,
    attachment: Attachment,
    prevResult?: CniResult,
  ): Promise<CniResult> {
    const stdout = await this.#run("ADD", plugin, { attachment, extra: prevResult && { prevResult } });
    return JSON.parse(stdout) as CniResult;
  }

  async #run(verb: Verb, plugin: PluginConfiguration, { attachment, extra }: Additions): Promise<string> {
    const argv = this.#lab.inHost(findPlugin(this.#cniPath, plugin.type));
    const outcome = await tryCommand(argv, {
      env: pluginEnvironment(verb, this.#cniPath, attachment),
      input: JSON.stringify(requestConfiguration(this.conflist, plugin, { attachment, extra })),
    });
    if (outcome.status !== 0) throw new CniFailure(verb, plugin.type, outcome);
    return outcome.stdout;
  }
}

function attachmentId({ containerId, ifname }: Attachment): string {
  return `${containerId}/${ifname}`;
}

/** What a plugin finds in its environment. Without an attachment (GC, STATUS) only the command and the path. */
export function pluginEnvironment(
  verb: Verb,
  cniPath: readonly string[],
  attachment?: Attachment,
): Record<string, string> {
  return {
    ...labEnvironment(),
    CNI_COMMAND: verb,
    CNI_PATH: cniPath.join(":"),
    ...(attachment && {
      CNI_CONTAINERID: attachment.containerId,
      CNI_NETNS: attachment.netns,
      CNI_IFNAME: attachment.ifname,
      CNI_ARGS: attachment.args ?? "",
    }),
  };
}

/** What the runtime adds to a plugin's part of the conflist. */
interface Additions {
  /** Absent for GC and STATUS. */
  readonly attachment?: Attachment | undefined;
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

/** What a plugin finds on stdin: its part of the conflist with what the runtime adds to it. */
export function requestConfiguration(
  conflist: Conflist,
  plugin: PluginConfiguration,
  { attachment, extra = {} }: Additions = {},
): Record<string, unknown> {
  const { capabilities = {}, ...configuration } = plugin;
  const offered = Object.entries(attachment?.runtimeConfig ?? {}).filter(
    ([key]) => capabilities[key] === true,
  );
  const runtimeConfig = {
    ...(configuration["runtimeConfig"] as object | undefined),
    ...Object.fromEntries(offered),
  };
  return {
    ...configuration,
    cniVersion: conflist.cniVersion,
    name: conflist.name,
    ...(Object.keys(runtimeConfig).length > 0 && { runtimeConfig }),
    ...extra,
  };
}

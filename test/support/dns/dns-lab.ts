/** A lab with server and agent, an upstream in its internet, and containers that ask. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { AgentPartStatus } from "../../../lib/rpc/agent-api.ts";
import { AgentLab, CALLER } from "../lab/agent-lab.ts";
import { INTERNET_IPV4, inNetns, netnsPath } from "../lab/lab.ts";
import { type Conflist, ConflistRunner } from "../lab/lab-conflist.ts";
import { FAIRLEAD_DIRECTORY } from "../lab/lab-plugins.ts";
import { type CommandOutcome, Daemon, labEnvironment, requireTools, tryCommand } from "../lab/lab-process.ts";

export interface Attached {
  readonly containerId: string;
  readonly netns: string;
  readonly ifname: string;
  readonly addresses: readonly string[];
  detach(): Promise<void>;
}

export interface AttachWish {
  readonly names?: readonly string[];
  readonly ifname?: string;
  readonly runtimeConfig?: Readonly<Record<string, unknown>>;
  /** CNI_ARGS. */
  readonly cniArgs?: string;
}

const SUPPORT = __dirname;

/** A process of test/support/dns/dns-client.ts that is told to end by a line. */
export class DnsClient {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(netns: string, ...args: readonly string[]) {
    const argv = inNetns(netns, process.execPath, "--no-warnings", join(SUPPORT, "dns-client.ts"), ...args);
    const [program = "", ...words] = argv;
    this.#child = spawn(program, words, { env: labEnvironment(), stdio: ["pipe", "pipe", "inherit"] });
    const { stdout } = this.#child;
    if (!stdout) throw new Error("no stdout");
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    const { value } = await this.#lines.next();
    return String(value);
  }

  /** What it prints at its end. */
  async result<T>(): Promise<T> {
    const line = await this.line();
    if (this.#child.exitCode === null) await once(this.#child, "exit");
    return JSON.parse(line) as T;
  }

  end<T>(): Promise<T> {
    this.#child.stdin?.write("end\n");
    return this.result<T>();
  }
}

export interface LoadResult {
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  readonly negative: number;
  readonly p50: number;
  readonly p99: number;
  readonly qps: number;
}

export class DnsLab {
  readonly under: AgentLab;

  private constructor(under: AgentLab) {
    this.under = under;
  }

  static async open(name: string): Promise<DnsLab> {
    requireTools("dig", "busybox", "getent");
    const keys = {
      dns: { enabled: true, upstreams: [INTERNET_IPV4] },
      workers: 0,
      reaper: { enabled: false },
    };
    const under = await AgentLab.open(name, keys);
    try {
      const lab = new DnsLab(under);
      await under.startServer();
      await under.startAgent();
      await lab.#startUpstream();
      return lab;
    } catch (cause) {
      await under.close();
      throw cause;
    }
  }

  close(): Promise<void> {
    return this.under.close();
  }

  async #startUpstream(): Promise<void> {
    const { lab } = this.under;
    const script = join(SUPPORT, "dns-upstream.ts");
    const inside = netnsPath(lab.internetNetns);
    const argv = inNetns(inside, process.execPath, "--no-warnings", script, INTERNET_IPV4);
    const upstream = Daemon.start(argv, this.#upstreamLog);
    lab.defer("stop the upstream", () => upstream.stop());
    await upstream.waitUntilReady(async () => upstream.logTail().includes("ready"));
  }

  get #upstreamLog(): string {
    return join(this.under.lab.directory, "upstream.log");
  }

  /** Names that the upstream was asked for. */
  forwarded(): string[] {
    return readFileSync(this.#upstreamLog, "utf8")
      .split("\n")
      .filter((line) => line !== "" && line !== "ready");
  }

  async createNetwork(name: string, subnets: readonly string[], request: object = {}): Promise<void> {
    const wish = { name, subnets: subnets.map((subnet) => ({ subnet })), ...request };
    await this.under.service.createNetwork(wish, CALLER);
    const { problems } = await this.under.agent.sync();
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
  }

  async removeNetwork(name: string): Promise<void> {
    await this.under.service.removeNetwork({ name }, CALLER);
    await this.under.agent.sync();
  }

  /** Attaches a container (its netns is made when it is not there) by the conflist that the agent wrote. */
  attach(networkName: string, container: string, wish: AttachWish = {}): Promise<Attached> {
    const file = networkName === "bridge" ? "80-fairlead-bridge" : `85-fairlead-${networkName}`;
    const text = readFileSync(join(this.under.cniConfDir, `${file}.conflist`), "utf8");
    return this.attachBy(JSON.parse(text) as Conflist, container, wish);
  }

  async attachBy(conflist: Conflist, container: string, wish: AttachWish = {}): Promise<Attached> {
    const { lab } = this.under;
    const netns = netnsPath(`${lab.hostNetns}-${container}`);
    const isNew = (await tryCommand(["test", "-e", netns])).status !== 0;
    if (isNew) await lab.addContainer(container);
    const args = { cni: { names: wish.names ?? [container] } };
    const plugins = conflist.plugins.map((plugin) => ({ ...plugin, args }));
    const runner = new ConflistRunner(lab, [FAIRLEAD_DIRECTORY], { ...conflist, plugins });
    const { ifname = "eth0", runtimeConfig, cniArgs } = wish;
    const given = {
      ...(runtimeConfig && { runtimeConfig }),
      ...(cniArgs !== undefined && { args: cniArgs }),
    };
    const attachment = { containerId: container, netns, ifname, ...given };
    const { ips = [] } = await runner.add(attachment);
    await this.under.agent.sync();
    const addresses = ips.map(({ address }) => address.replace(/\/.*/, ""));
    return { containerId: container, netns, ifname, addresses, detach: () => runner.del(attachment) };
  }

  /** `dig` in the container's netns: `+short` lines, sorted; its status where it is not NOERROR. */
  async dig(from: Attached, server: string, ...words: readonly string[]): Promise<string[]> {
    const outcome = await this.exec(
      from,
      "dig",
      `@${server}`,
      "+tries=1",
      "+time=5",
      "+noall",
      "+answer",
      "+comments",
      ...words,
    );
    const status = /status: (\w+)/.exec(outcome.stdout)?.[1];
    if (status === undefined) throw new Error(`${words.join(" ")}: ${outcome.stdout}${outcome.stderr}`);
    if (status !== "NOERROR") return [status];
    const records = outcome.stdout.split("\n").filter((line) => line !== "" && !line.startsWith(";"));
    return records.map((line) => line.split(/\s+/).slice(4).join(" ")).sort();
  }

  exec({ netns }: Attached, ...argv: readonly string[]): Promise<CommandOutcome> {
    return tryCommand(inNetns(netns, ...argv));
  }

  /** Runs a command with a resolv.conf of its own, as a container does. */
  withResolvConf(from: Attached, content: string, ...argv: readonly string[]): Promise<CommandOutcome> {
    const file = this.under.lab.file(`resolv-${from.containerId}.conf`, content);
    const script = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';
    return this.exec(from, "unshare", "-m", "sh", "-c", script, "sh", file, ...argv);
  }

  client(from: Attached, ...args: readonly string[]): DnsClient {
    return new DnsClient(from.netns, ...args);
  }

  /** The DNS part of the agent's status. */
  async status(): Promise<AgentPartStatus> {
    const { parts } = await this.under.agent.status();
    const part = parts.find(({ name }) => name === "dns");
    if (!part) throw new Error("the agent has no DNS part");
    return part;
  }
}

export { CALLER };

/** `fairlead dev` on a lab's host, and the command line that speaks to it. Nothing of the machine's own is touched. */
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import {
  FAIRLEAD_DIRECTORY,
  getOverUnixSocket,
  REFERENCE_DIRECTORY,
  requireFairlead,
  stagePlugins,
} from "./lab-plugins.ts";
import { type CommandOutcome, command, Daemon, tryCommand } from "./lab-process.ts";

const FAIRLEAD = join(FAIRLEAD_DIRECTORY, "fairlead");

export interface NodeSettings {
  /** False: server and agent are two processes, and the agent takes nothing back by itself. */
  readonly reaper?: boolean;
  /** Server and agent are two processes, the agent with these settings. */
  readonly apart?: object;
}

export class FairleadNode {
  readonly conflistFolder: string;
  readonly pluginFolder: string;
  readonly cacheFolder: string;
  readonly socket: string;
  readonly #lab: Lab;
  #containerdSocket: string;
  #dockerSocket: string;
  #daemon: Daemon | undefined;
  readonly #daemons = new Map<string, Daemon>();

  private constructor(lab: Lab) {
    this.#lab = lab;
    this.conflistFolder = lab.folder("net.d");
    this.cacheFolder = lab.folder("cache");
    this.pluginFolder = stagePlugins(lab, [FAIRLEAD_DIRECTORY, REFERENCE_DIRECTORY]);
    this.socket = join(lab.folder("run"), "fairlead.sock");
    this.#containerdSocket = join(lab.directory, "no-containerd.sock");
    this.#dockerSocket = join(lab.directory, "no-docker.sock");
  }

  /** Starts server and agent in the host netns and waits until they serve; they end with the lab. */
  static async start(lab: Lab, { reaper = true, apart }: NodeSettings = {}): Promise<FairleadNode> {
    requireFairlead();
    const node = new FairleadNode(lab);
    if (apart) await node.#startApart(apart);
    else if (reaper) await node.startDev();
    else await node.#startApart({ reaper: { enabled: false } });
    return node;
  }

  /** As a user without configuration does. */
  async startDev(): Promise<void> {
    const places = ["--socket", this.socket, "--state-dir", this.stateFolder];
    const caches = ["--cni-conf-dir", this.conflistFolder, "--cni-cache-dir", this.cacheFolder];
    const daemon = this.#daemonOf("dev", ...places, ...caches, "--agent-socket", this.agentSocket);
    await daemon.waitUntilReady(async () => (await this.#answers()) && this.#agentAnswers());
  }

  /** Server and agent as two processes, the agent with these settings. */
  async #startApart(settings: object): Promise<void> {
    await this.startServer();
    await this.startAgent(settings);
  }

  async startServer(settings: object = {}): Promise<void> {
    const config = { ...settings, stateDir: this.stateFolder, socket: this.socket };
    const server = this.#daemonOf(
      "server",
      "--config",
      this.#lab.file("server.yaml", JSON.stringify(config)),
    );
    await server.waitUntilReady(() => this.#answers());
  }

  async startAgent(settings: object = {}): Promise<void> {
    const common = { stateDir: this.stateFolder };
    const agent = {
      ...common,
      ...settings,
      serverSocket: this.socket,
      socket: this.agentSocket,
      cniConfDir: this.conflistFolder,
      cniCacheDir: this.cacheFolder,
    };
    // JSON is YAML.
    const daemon = this.#daemonOf("agent", "--config", this.#lab.file("agent.yaml", JSON.stringify(agent)));
    await daemon.waitUntilReady(() => this.#agentAnswers());
  }

  /** Ends `dev`, `server` or `agent` at once, as a crash does. */
  async kill(name: "dev" | "server" | "agent"): Promise<void> {
    await this.#daemons.get(name)?.kill();
  }

  #daemonOf(...args: readonly string[]): Daemon {
    const [name = ""] = args;
    const daemon = Daemon.start(
      this.#lab.inHost(FAIRLEAD, ...args),
      join(this.#lab.directory, `${name}.log`),
    );
    this.#daemon = daemon;
    this.#daemons.set(name, daemon);
    this.#lab.defer(`stop fairlead ${name}`, () => daemon.stop());
    return daemon;
  }

  get stateFolder(): string {
    return this.#lab.folder("state");
  }

  /** A process in the host netns. */
  get pid(): number {
    return this.#daemon?.pid ?? 0;
  }

  get agentSocket(): string {
    return join(this.#lab.directory, "run", "agent.sock");
  }

  /** Lets the command line find containers of a containerd in the lab. */
  useContainerd(socket: string): void {
    this.#containerdSocket = socket;
  }

  /** The same of a Docker in the lab. */
  useDocker(socket: string): void {
    this.#dockerSocket = socket;
  }

  /** `fairlead network …` and others that need no more than the service. @throws when it fails. */
  run(...args: readonly string[]): Promise<string> {
    return command(this.argv(args));
  }

  try(...args: readonly string[]): Promise<CommandOutcome> {
    return tryCommand(this.argv(args));
  }

  /** Runs a command in a sandbox. */
  exec(sandbox: string, ...argv: readonly string[]): Promise<CommandOutcome> {
    return this.try("sandbox", "exec", sandbox, ...argv);
  }

  /** The command line of `fairlead GROUP COMMAND …` with this node's places behind the two words. */
  argv([group = "", word = "", ...rest]: readonly string[]): string[] {
    const words = word === "" ? [group] : [group, word];
    return this.#lab.inHost(FAIRLEAD, ...words, ...this.#places(words.join(" ")), ...rest);
  }

  #places(called: string): string[] {
    const local = ["--run-dir", join(this.#lab.directory, "run"), "--cni-cache-dir", this.cacheFolder];
    const service = ["--socket", this.socket];
    const node = [...service, ...local, "--cni-conf-dir", this.conflistFolder, ...this.#runtimes()];
    if (["sandbox ls", "sandbox inspect", "sandbox port", "sandbox exec"].includes(called)) return local;
    if (["sandbox create", "sandbox rm", "network connect", "network disconnect"].includes(called))
      return [...node, "--cni-bin-dir", this.pluginFolder];
    if (called === "network") return [];
    if (["ipam release", "ipam recover"].includes(called))
      return [...service, "--cni-conf-dir", this.conflistFolder, "--cni-cache-dir", this.cacheFolder];
    const isChange = ["network create", "network rm", "network remove", "network prune"].includes(called);
    return isChange ? [...service, "--agent-socket", this.agentSocket] : service;
  }

  #runtimes(): string[] {
    const { directory } = this.#lab;
    return [
      ...["--containerd-socket", this.#containerdSocket],
      ...["--docker-socket", this.#dockerSocket],
      ...[
        "--podman-root",
        join(directory, "podman/root"),
        "--podman-run-root",
        join(directory, "podman/run"),
      ],
    ];
  }

  #answers(): Promise<boolean> {
    return answers(this.socket, "/v1/info");
  }

  #agentAnswers(): Promise<boolean> {
    return answers(this.agentSocket, "/v1/agent/status");
  }
}

/** Asked from here: a command for every look takes longer than the start that it waits for. */
function answers(socket: string, path: string): Promise<boolean> {
  return getOverUnixSocket(socket, path).then(
    ({ status }) => status === 200,
    () => false,
  );
}

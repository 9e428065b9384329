/** `fairlead dev` on a lab's host, and the command line that speaks to it. Nothing of the machine's own is touched. */
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import { FAIRLEAD_DIRECTORY, REFERENCE_DIRECTORY, requireFairlead, stagePlugins } from "./lab-plugins.ts";
import { type CommandOutcome, command, Daemon, tryCommand } from "./lab-process.ts";

const FAIRLEAD = join(FAIRLEAD_DIRECTORY, "fairlead");

export interface NodeSettings {
  /** False: server and agent are two processes, and the agent takes nothing back by itself. */
  readonly reaper?: boolean;
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
  static async start(lab: Lab, { reaper = true }: NodeSettings = {}): Promise<FairleadNode> {
    requireFairlead();
    const node = new FairleadNode(lab);
    if (reaper) await node.startDev();
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

  async startServer(): Promise<void> {
    const config = { stateDir: this.stateFolder, socket: this.socket };
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

  async #answers(): Promise<boolean> {
    return (await this.try("ipam", "status")).status === 0;
  }

  /** Asked with a tool of the machine: the command line has no question that only the agent answers. */
  async #agentAnswers(): Promise<boolean> {
    const script =
      "import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1]); " +
      "s.sendall(b'GET /v1/agent/status HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n'); sys.exit(0 if b' 200 ' in s.recv(64) else 1)";
    return (await tryCommand(["python3", "-c", script, this.agentSocket])).status === 0;
  }
}

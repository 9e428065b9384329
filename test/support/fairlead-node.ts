/** `fairlead dev` on a lab's host, and the command line that speaks to it. Nothing of the machine's own is touched. */
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import { FAIRLEAD_DIRECTORY, REFERENCE_DIRECTORY, requireFairlead, stagePlugins } from "./lab-plugins.ts";
import { type CommandOutcome, command, Daemon, tryCommand } from "./lab-process.ts";

const FAIRLEAD = join(FAIRLEAD_DIRECTORY, "fairlead");

export class FairleadNode {
  readonly conflistFolder: string;
  readonly pluginFolder: string;
  readonly cacheFolder: string;
  readonly socket: string;
  readonly #lab: Lab;
  #containerdSocket: string;
  #daemon: Daemon | undefined;

  private constructor(lab: Lab) {
    this.#lab = lab;
    this.conflistFolder = lab.folder("net.d");
    this.cacheFolder = lab.folder("cache");
    this.pluginFolder = stagePlugins(lab, [FAIRLEAD_DIRECTORY, REFERENCE_DIRECTORY]);
    this.socket = join(lab.folder("run"), "fairlead.sock");
    this.#containerdSocket = join(lab.directory, "no-containerd.sock");
  }

  /** Starts server and agent in the host netns and waits until they serve; they end with the lab. */
  static async start(lab: Lab): Promise<FairleadNode> {
    requireFairlead();
    const node = new FairleadNode(lab);
    const places = ["--socket", node.socket, "--state-dir", lab.folder("state")];
    const more = ["--cni-conf-dir", node.conflistFolder, "--agent-socket", node.agentSocket];
    const log = join(lab.directory, "fairlead.log");
    const daemon = Daemon.start(lab.inHost(FAIRLEAD, "dev", ...places, ...more), log);
    node.#daemon = daemon;
    lab.defer("stop fairlead", () => daemon.stop());
    await daemon.waitUntilReady(async () => (await node.#answers()) && node.#agentAnswers());
    return node;
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
    return this.#lab.inHost(FAIRLEAD, group, word, ...this.#places(`${group} ${word}`), ...rest);
  }

  #places(called: string): string[] {
    const local = ["--run-dir", join(this.#lab.directory, "run"), "--cni-cache-dir", this.cacheFolder];
    const service = ["--socket", this.socket];
    const node = [...service, ...local, "--cni-conf-dir", this.conflistFolder, ...this.#runtimes()];
    if (["sandbox ls", "sandbox inspect", "sandbox exec"].includes(called)) return local;
    if (["sandbox create", "sandbox rm", "network connect", "network disconnect"].includes(called))
      return [...node, "--cni-bin-dir", this.pluginFolder];
    const isChange = ["network create", "network rm", "network prune"].includes(called);
    return isChange ? [...service, "--agent-socket", this.agentSocket] : service;
  }

  #runtimes(): string[] {
    const { directory } = this.#lab;
    return [
      ...["--containerd-socket", this.#containerdSocket],
      ...["--docker-socket", join(directory, "no-docker.sock")],
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

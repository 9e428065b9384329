/** Server and agent of the built executable on a lab's host, each a process of its own. */
import { join } from "node:path";
import { type AgentClient, createAgentClient } from "../../../lib/rpc/agent-client.ts";
import { createHttpClient, type HttpIpamClient } from "../../../lib/rpc/http-client.ts";
import { Lab } from "./lab.ts";
import { FAIRLEAD_DIRECTORY, requireFairlead } from "./lab-plugins.ts";
import { Daemon, waitUntil } from "./lab-process.ts";

/** The server fills in who calls: this is only what the interface asks for. */
export const CALLER = { actor: "test", node: "" };

/** Each takes ten seconds: only for what hangs. */
const MOST_SYNCS = 10;

export class AgentLab {
  readonly lab: Lab;
  readonly socket: string;
  readonly agentSocket: string;
  readonly cniConfDir: string;
  readonly stateDir: string;
  readonly service: HttpIpamClient;
  readonly agent: AgentClient;
  #server: Daemon | null = null;
  #agent: Daemon | null = null;
  readonly #agentKeys: Readonly<Record<string, unknown>>;

  private constructor(lab: Lab, agentKeys: Readonly<Record<string, unknown>>) {
    this.lab = lab;
    this.#agentKeys = agentKeys;
    this.socket = join(lab.directory, "fairlead.sock");
    this.agentSocket = join(lab.directory, "agent.sock");
    this.cniConfDir = join(lab.directory, "net.d");
    this.stateDir = join(lab.directory, "state");
    this.service = createHttpClient({ endpoint: { socket: this.socket } });
    this.agent = patient(createAgentClient({ socket: this.agentSocket }));
    lab.defer("close the client", async () => this.service.close());
    lab.defer("stop the server", async () => this.#server?.stop());
    lab.defer("stop the agent", async () => this.#agent?.stop());
  }

  /** @param agentKeys keys of the agent's configuration besides paths. */
  static async open(name: string, agentKeys: Readonly<Record<string, unknown>> = {}): Promise<AgentLab> {
    requireFairlead();
    const lab = await Lab.open(name);
    try {
      return new AgentLab(lab, agentKeys);
    } catch (cause) {
      await lab.close();
      throw cause;
    }
  }

  close(): Promise<void> {
    return this.lab.close();
  }

  /** @param keys of the server's configuration; by default its state is that of this lab. */
  async startServer(keys: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const { socket, stateDir, lab } = this;
    const config = lab.file("server.yaml", JSON.stringify({ socket, stateDir, ...keys }));
    this.#server = this.#start("server", config);
    await this.#server.waitUntilReady(() => succeeds(() => this.service.info()));
  }

  async startAgent(): Promise<void> {
    const config = this.lab.file(
      "agent.yaml",
      JSON.stringify({
        serverSocket: this.socket,
        socket: this.agentSocket,
        stateDir: this.stateDir,
        cniConfDir: this.cniConfDir,
        ...this.#agentKeys,
      }),
    );
    this.#agent = this.#start("agent", config);
    await this.#agent.waitUntilReady(() => succeeds(() => this.agent.status()));
  }

  /** Configuration file of the agent that was started last. */
  get agentConfigFile(): string {
    return join(this.lab.directory, "agent.yaml");
  }

  stopServer(): Promise<void> {
    return this.#server?.stop() ?? Promise.resolve();
  }

  /** SIGTERM, as systemd does. */
  stopAgent(): Promise<void> {
    return this.#agent?.stop() ?? Promise.resolve();
  }

  /** SIGKILL, as the kernel's memory killer does. */
  async killAgent(): Promise<void> {
    if (!this.#agent?.running) throw new Error("no agent runs");
    process.kill(this.#agent.pid, "SIGKILL");
    await waitUntil(async () => !this.#agent?.running, 5_000);
  }

  /** Does something while the agent stands still, and mends nothing. */
  async withoutAgent<T>(action: () => Promise<T>): Promise<T> {
    if (!this.#agent?.running) throw new Error("no agent runs");
    const { pid } = this.#agent;
    process.kill(pid, "SIGSTOP");
    try {
      return await action();
    } finally {
      process.kill(pid, "SIGCONT");
    }
  }

  agentLog(): string {
    return this.#agent?.logTail() ?? "";
  }

  #start(command: "server" | "agent", config: string): Daemon {
    // nsenter becomes the program: a signal to the one is one to the other.
    const argv = this.lab.inHost(join(FAIRLEAD_DIRECTORY, "fairlead"), command, "--config", config);
    return Daemon.start(argv, join(this.lab.directory, `${command}.log`));
  }
}

/** A sync that asks again when the agent's own limit has passed, as it may on a busy machine: the agent goes on meanwhile. */
function patient(agent: AgentClient): AgentClient {
  const sync: AgentClient["sync"] = async (request) => {
    for (let round = 1; ; round += 1) {
      const answer = await agent.sync(request).catch((thrown) => {
        if (round === MOST_SYNCS || thrown.code !== "timeout") throw thrown;
        return null;
      });
      if (answer !== null) return answer;
    }
  };
  return { ...agent, sync };
}

async function succeeds(action: () => Promise<unknown>): Promise<boolean> {
  return action().then(
    () => true,
    () => false,
  );
}

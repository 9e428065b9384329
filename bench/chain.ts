/** ADD and DEL of a chain of two plugins, a bridge and one that publishes a port, as a runtime executes it. */
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchNetwork, Contestant } from "./contestants.ts";
import { type BenchAttachment, closeAll, pluginEnvironment, type Timing, type Verb } from "./operations.ts";
import { prepareCommand, spawn, wait } from "./spawn.ts";

/** An attachment that publishes one TCP port. */
export interface PublishingAttachment extends BenchAttachment {
  readonly hostPort: number;
}

type Configuration = Readonly<Record<string, unknown>>;

/** One contestant's chain on one network. What the runtime does between two plugins is not in the time. */
export class ChainOperations {
  readonly contestant: Contestant;
  readonly network: BenchNetwork;
  readonly #inputFile: string;
  readonly #outputFile: string;
  /** Result of the chain's ADD by container, for its DEL. */
  readonly #results = new Map<string, unknown>();

  constructor(contestant: Contestant, network: BenchNetwork, folder: string) {
    this.contestant = contestant;
    this.network = network;
    this.#inputFile = join(folder, `${network.name}-chain.json`);
    this.#outputFile = join(folder, `${network.name}-chain.out`);
  }

  /** @throws with what a plugin said when it fails. */
  add(attachment: PublishingAttachment): Timing {
    const { executable, portmapExecutable } = this.contestant;
    const bridge = this.#run("ADD", executable, attachment, this.#bridge());
    const portmap = this.#run(
      "ADD",
      portmapExecutable,
      attachment,
      this.#portmap(attachment, this.#output()),
    );
    this.#results.set(attachment.containerId, this.#output());
    return sum(bridge, portmap);
  }

  /** In reverse. */
  del(attachment: PublishingAttachment): Timing {
    const { executable, portmapExecutable } = this.contestant;
    const prevResult = this.#results.get(attachment.containerId);
    const portmap = this.#run("DEL", portmapExecutable, attachment, this.#portmap(attachment, prevResult));
    const bridge = this.#run("DEL", executable, attachment, { ...this.#bridge(), prevResult });
    return sum(portmap, bridge);
  }

  #bridge(): Configuration {
    return this.contestant.requestConfiguration(this.network);
  }

  #portmap({ hostPort }: PublishingAttachment, prevResult: unknown): Configuration {
    const portMappings = [{ hostPort, containerPort: 80, protocol: "tcp" }];
    return {
      ...this.contestant.portmapConfiguration(this.network),
      runtimeConfig: { portMappings },
      prevResult,
    };
  }

  #output(): unknown {
    return JSON.parse(readFileSync(this.#outputFile, "utf8"));
  }

  #run(verb: Verb, executable: string, attachment: BenchAttachment, configuration: Configuration): Timing {
    writeFileSync(this.#inputFile, JSON.stringify(configuration));
    const command = prepareCommand([executable], pluginEnvironment(this.contestant, verb, attachment));
    const output = openSync(this.#outputFile, "w");
    const stdio = [openSync(this.#inputFile, "r"), output, output] as const;
    const start = performance.now();
    const ended = wait(spawn(command, stdio));
    const wallMs = performance.now() - start;
    closeAll(stdio);
    if (ended.status === 0) return { wallMs, cpuMs: ended.cpuMs };
    const said = readFileSync(this.#outputFile, "utf8").slice(-2000);
    throw new Error(`${verb} by ${executable} on ${this.network.name}: status ${ended.status}: ${said}`);
  }
}

function sum(a: Timing, b: Timing): Timing {
  return { wallMs: a.wallMs + b.wallMs, cpuMs: a.cpuMs + b.cpuMs };
}

/** ADD and DEL of plugins that publish a port, one or a chain of them, as a runtime executes them. */
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ChainLink, Configuration, Contestant } from "./contestants.ts";
import { HelperClock } from "./cpu-clock.ts";
import { type BenchAttachment, closeAll, pluginEnvironment, type Timing, type Verb } from "./operations.ts";
import { prepareCommand, spawn, wait } from "./spawn.ts";

/** An attachment that publishes one TCP port. */
export interface PublishingAttachment extends BenchAttachment {
  readonly hostPort: number;
}

/** One contestant's plugins on one network. What the runtime does between two plugins is not in the time. */
export class ChainOperations {
  readonly #contestant: Contestant;
  readonly #chain: readonly ChainLink[];
  readonly #inputFile: string;
  readonly #outputFile: string;
  /** Result of the chain's ADD by container, for its DEL. */
  readonly #results = new Map<string, unknown>();

  constructor(contestant: Contestant, chain: readonly ChainLink[], folder: string) {
    this.#contestant = contestant;
    this.#chain = chain;
    this.#inputFile = join(folder, "chain.json");
    this.#outputFile = join(folder, "chain.out");
  }

  /** @throws with what a plugin said when it fails. */
  add(attachment: PublishingAttachment): Timing {
    let prevResult: unknown;
    const timings = this.#chain.map((link) => {
      const timing = this.#run("ADD", attachment, { ...link, prevResult });
      prevResult = this.#output();
      return timing;
    });
    this.#results.set(attachment.containerId, prevResult);
    return sum(timings);
  }

  /** In reverse. */
  del(attachment: PublishingAttachment): Timing {
    const prevResult = this.#results.get(attachment.containerId);
    return sum(this.#chain.toReversed().map((link) => this.#run("DEL", attachment, { ...link, prevResult })));
  }

  #output(): unknown {
    return JSON.parse(readFileSync(this.#outputFile, "utf8"));
  }

  #run(verb: Verb, attachment: PublishingAttachment, step: Step): Timing {
    const { executable } = step;
    writeFileSync(this.#inputFile, JSON.stringify(inputOf(step, attachment)));
    const command = prepareCommand([executable], pluginEnvironment(this.#contestant, verb, attachment));
    const output = openSync(this.#outputFile, "w");
    const stdio = [openSync(this.#inputFile, "r"), output, output] as const;
    const helpers = new HelperClock(this.#contestant.helperPids());
    const start = performance.now();
    const ended = wait(spawn(command, stdio));
    const wallMs = performance.now() - start;
    closeAll(stdio);
    if (ended.status === 0) return { wallMs, cpuMs: ended.cpuMs + helpers.stop() };
    const said = readFileSync(this.#outputFile, "utf8").slice(-2000);
    throw new Error(`${verb} by ${executable} of ${attachment.containerId}: status ${ended.status}: ${said}`);
  }
}

/** One plugin's turn. */
interface Step extends ChainLink {
  readonly prevResult: unknown;
}

function inputOf(
  { configuration, publishes, prevResult }: Step,
  { hostPort }: PublishingAttachment,
): Configuration {
  const portMappings = [{ hostPort, containerPort: 80, protocol: "tcp" }];
  return {
    ...configuration,
    ...(publishes && { runtimeConfig: { portMappings } }),
    ...(prevResult !== undefined && { prevResult }),
  };
}

function sum(timings: readonly Timing[]): Timing {
  return timings.reduce((a, b) => ({ wallMs: a.wallMs + b.wallMs, cpuMs: a.cpuMs + b.cpuMs }));
}

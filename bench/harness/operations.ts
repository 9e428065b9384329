/** ADD and DEL as timed operations: prepared ahead, started without a detour, checked when the clock has stopped. */
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchNetwork, Contestant } from "./contestants.ts";
import { HelperClock } from "./cpu-clock.ts";
import { type Ended, type PreparedCommand, prepareCommand, spawn, wait, waitAny } from "./spawn.ts";

export type Verb = "ADD" | "DEL";

/** One operation that ended well: from before the start of the process to its end. */
export interface Timing {
  readonly wallMs: number;
  /** User and system time, of the processes that the plugin ran and of its contestant's helpers as well. */
  readonly cpuMs: number;
}

export interface BenchAttachment {
  readonly containerId: string;
  /** Path of the container netns. */
  readonly netns: string;
}

/** One contestant's plugin on one network. */
export class NetworkOperations {
  readonly contestant: Contestant;
  readonly network: BenchNetwork;
  readonly #configurationFile: string;
  readonly #outputFile: string;

  constructor(contestant: Contestant, network: BenchNetwork, folder: string) {
    this.contestant = contestant;
    this.network = network;
    this.#configurationFile = join(folder, `${network.name}.json`);
    this.#outputFile = join(folder, `${network.name}.out`);
    writeFileSync(this.#configurationFile, JSON.stringify(contestant.requestConfiguration(network)));
  }

  /** Runs one operation. @throws with what the plugin said when it fails. */
  time(verb: Verb, attachment: BenchAttachment): Timing {
    const command = this.#prepare(verb, attachment);
    const stdio = this.#openStdio();
    const helpers = new HelperClock(this.contestant.helperPids());
    const start = performance.now();
    const ended = wait(spawn(command, stdio));
    const wallMs = performance.now() - start;
    closeAll(stdio);
    this.#mustHaveSucceeded(verb, ended);
    return { wallMs, cpuMs: ended.cpuMs + helpers.stop() };
  }

  /**
   * Runs one operation per attachment, `width` at a time. Returns the milliseconds that all of them took together.
   * @throws when one fails.
   */
  timeAll(verb: Verb, attachments: readonly BenchAttachment[], width: number): number {
    const commands = attachments.map((attachment) => this.#prepare(verb, attachment));
    const stdio = this.#openStdioOfEach(commands);
    const ended: Ended[] = [];
    let started = 0;
    const start = performance.now();
    while (ended.length < commands.length) {
      const next = started - ended.length < width ? commands[started] : undefined;
      if (next) spawn(next, stdio[started++] ?? [0, 0, 0]);
      else ended.push(waitAny());
    }
    const wallMs = performance.now() - start;
    stdio.forEach(closeAll);
    for (const each of ended) this.#mustHaveSucceeded(verb, each);
    return wallMs;
  }

  /** The command line and environment of an operation. */
  #prepare(verb: Verb, attachment: BenchAttachment): PreparedCommand {
    return prepareCommand([this.contestant.executable], pluginEnvironment(this.contestant, verb, attachment));
  }

  #openStdioOfEach(commands: readonly unknown[]): [number, number, number][] {
    return commands.map(() => this.#openStdio());
  }

  /** The configuration from its beginning, the output at its end. */
  #openStdio(): [number, number, number] {
    const output = openSync(this.#outputFile, "a");
    return [openSync(this.#configurationFile, "r"), output, output];
  }

  #mustHaveSucceeded(verb: Verb, ended: Ended): void {
    if (ended.status === 0) return;
    const said = readFileSync(this.#outputFile, "utf8").slice(-2000);
    const who = `${this.contestant.name} on ${this.network.name}`;
    throw new Error(`${verb} by ${who}: status ${ended.status}; the last that was said there:\n${said}`);
  }

  /** For tools that run the plugin themselves: its environment and its stdin. */
  describe(verb: Verb, attachment: BenchAttachment): { env: Record<string, string>; inputFile: string } {
    const env = pluginEnvironment(this.contestant, verb, attachment);
    return { env, inputFile: this.#configurationFile };
  }
}

export function pluginEnvironment(
  contestant: Contestant,
  verb: Verb,
  attachment: BenchAttachment,
): Record<string, string> {
  return {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    CNI_COMMAND: verb,
    CNI_CONTAINERID: attachment.containerId,
    CNI_NETNS: attachment.netns,
    CNI_IFNAME: "eth0",
    CNI_PATH: contestant.cniPath,
  };
}

export function closeAll(stdio: readonly number[]): void {
  for (const descriptor of new Set(stdio)) closeSync(descriptor);
}

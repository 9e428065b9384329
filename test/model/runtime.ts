/** The runtime of a history: executes plugins, keeps results as libcni does, and gives up on what takes too long. */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { labEnvironment } from "../support/lab/lab-process.ts";
import { type Configuration, configurationOf, networkName, publishes, runtimeConfigOf } from "./conflists.ts";
import { type Edit, NETWORKS, networkOf, type PluginCall } from "./history.ts";
import { containerPath } from "./kernel.ts";
import { type BegunCall, type CallOutcome, Ledger } from "./ledger.ts";
import { FAIRLEAD_DIRECTORY } from "./place.ts";
import type { World } from "./world.ts";

/** A step waits no longer for its calls: then the next one begins, and they go on. */
const PATIENCE_MS = 250;
const IFNAME = "eth0";
/** A plugin answers before, even one that waits for a worker that stands still. */
const ANSWER_LIMIT_MS = 60_000;

interface Running {
  readonly child: ChildProcess;
  readonly answered: Promise<void>;
  readonly who: number | null;
}

/** What was given to an ADD, and what came of it. */
interface Cached {
  readonly configuration: Configuration;
  readonly prevResult: unknown;
}

export class Runtime {
  readonly ledger = new Ledger();
  /** Answers, for people. */
  readonly log: string[] = [];
  readonly #world: World;
  readonly #prefix: string;
  readonly #edits: Edit[] = Array.from({ length: NETWORKS }, () => "plain");
  readonly #cache = new Map<number, Cached>();
  readonly #running = new Set<Running>();

  /** @param prefix of container IDs: those of another history are others. */
  constructor(world: World, prefix: string) {
    this.#world = world;
    this.#prefix = prefix;
  }

  idOf = (who: number): string => `${this.#prefix}c${who}`;

  edit(network: number, edit: Edit): void {
    this.#edits[network] = edit;
  }

  /**
   * Makes the calls at once, and waits for their answers as long as a step lasts. A GC that is not over is given up: no ADD or DEL
   * may begin beside it (CNI SPEC 1.1.0, "Lifecycle & Ordering").
   */
  async call(calls: readonly PluginCall[]): Promise<void> {
    const whos = new Set(calls.map(({ who }) => who));
    await this.#giveUp(({ who }) => who === null || whos.has(who));
    const begun = calls.map((call) => this.#begin(call));
    await this.#wait(begun);
  }

  /** A call whose answer is awaited. Returns what the plugin said when it failed, else null. */
  async callToTheEnd(call: PluginCall): Promise<string | null> {
    const before = this.log.length;
    await this.#begin(call).answered;
    const said = this.log.slice(before).find((line) => line.includes(" refused "));
    return said ?? null;
  }

  async collectGarbage(network: number, killAfterMs?: number): Promise<void> {
    const known = ["live", "unsure"] as const;
    const whos = known
      .flatMap((phase) => this.ledger.those(phase))
      .filter((who) => networkOf(who) === network);
    const valid = whos.map((who) => ({ containerID: this.idOf(who), ifname: IFNAME }));
    const input = { ...this.#todays(network), "cni.dev/valid-attachments": valid };
    const running = this.#execute("GC", { who: null, input, killAfterMs }, (outcome) =>
      this.log.push(`GC ${networkName(network)} ${textOf(outcome)}`),
    );
    await this.#wait([running]);
  }

  /** Until every call was answered. */
  async finish(): Promise<void> {
    await Promise.all([...this.#running].map(({ answered }) => answered));
  }

  /** The node goes down: no plugin lives to answer, and nobody will ask for what was there. */
  async rebooted(): Promise<void> {
    await this.#giveUp(() => true);
    this.ledger.rebooted();
    for (const who of this.#cache.keys()) this.#forget(who);
  }

  #begin(call: PluginCall): Running {
    const { verb, who, killAfterMs } = call;
    const begun = this.ledger.begun(call);
    const input = this.#inputOf(call);
    return this.#execute(verb, { who, input, killAfterMs }, (outcome, answer) => {
      this.ledger.ended(begun, outcome);
      this.#remember(begun, { configuration: input, prevResult: answer }, outcome);
      this.log.push(`${verb} c${who} ${textOf(outcome)}`);
    });
  }

  #inputOf({ verb, who, cached }: PluginCall): Configuration {
    const kept = this.#cache.get(who);
    const today = { ...this.#todays(networkOf(who)), runtimeConfig: runtimeConfigOf(who) };
    if (verb === "ADD" || kept === undefined) return today;
    return { ...(cached ? kept.configuration : today), prevResult: kept.prevResult };
  }

  #todays(network: number): Configuration {
    return configurationOf(network, this.#edits[network] ?? "plain");
  }

  /** As libcni: an entry from a successful ADD to a successful DEL. */
  #remember({ call: { verb, who } }: BegunCall, cached: Cached, { kind }: CallOutcome): void {
    if (kind !== "done") return;
    if (verb === "DEL") this.#forget(who);
    if (verb !== "ADD") return;
    this.#cache.set(who, cached);
    writeFileSync(this.#cacheFile(who), JSON.stringify(this.#cacheEntry(who, cached)));
  }

  #cacheEntry(who: number, { configuration, prevResult }: Cached): object {
    return {
      kind: "cniCacheV1",
      containerId: this.idOf(who),
      config: Buffer.from(JSON.stringify(configuration)).toString("base64"),
      ifName: IFNAME,
      networkName: networkName(networkOf(who)),
      netns: containerPath(who),
      capabilityArgs: runtimeConfigOf(who),
      result: prevResult,
    };
  }

  #forget(who: number): void {
    this.#cache.delete(who);
    rmSync(this.#cacheFile(who), { force: true });
  }

  #cacheFile(who: number): string {
    return join(
      this.#world.cacheDir,
      "results",
      `${networkName(networkOf(who))}-${this.idOf(who)}-${IFNAME}`,
    );
  }

  async #wait(begun: readonly Running[]): Promise<void> {
    const patience = new AbortController();
    const all = Promise.all(begun.map(({ answered }) => answered));
    await Promise.race([all, sleep(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => {})]);
    patience.abort();
  }

  /** SIGKILL to plugins that have not answered. */
  async #giveUp(isMeant: (running: Running) => boolean): Promise<void> {
    const meant = [...this.#running].filter(isMeant);
    for (const { child } of meant) child.kill("SIGKILL");
    await Promise.all(meant.map(({ answered }) => answered));
  }

  #execute(
    verb: string,
    what: { who: number | null; input: Configuration; killAfterMs: number | undefined },
    onEnd: (outcome: CallOutcome, answer: unknown) => void,
  ): Running {
    const { who, input, killAfterMs } = what;
    const child = spawn(join(FAIRLEAD_DIRECTORY, "fairlead-bridge"), { env: this.#environment(verb, who) });
    child.stdin.on("error", () => {}); // A plugin that was killed reads no further.
    child.stdin.end(JSON.stringify(input));
    if (killAfterMs !== undefined) setTimeout(() => child.kill("SIGKILL"), killAfterMs).unref();
    const answered = endOf(child).then(({ status, stdout }) => {
      this.#running.delete(running);
      const answer = parse(stdout);
      onEnd(outcomeOf({ status, stdout, answer, configuration: input }), answer);
    });
    const running = { child, answered, who };
    this.#running.add(running);
    return running;
  }

  #environment(verb: string, who: number | null): Record<string, string> {
    const common = { ...labEnvironment(), CNI_COMMAND: verb, CNI_PATH: FAIRLEAD_DIRECTORY };
    if (who === null) return common;
    return {
      ...common,
      CNI_CONTAINERID: this.idOf(who),
      CNI_NETNS: containerPath(who),
      CNI_IFNAME: IFNAME,
    };
  }
}

interface Ended {
  /** Null: killed. */
  readonly status: number | null;
  readonly stdout: string;
}

function endOf(child: ChildProcess): Promise<Ended> {
  let stdout = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.resume();
  const limit = setTimeout(() => child.kill("SIGKILL"), ANSWER_LIMIT_MS);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      clearTimeout(limit);
      resolve({ status, stdout });
    });
  });
}

function outcomeOf({
  status,
  stdout,
  answer,
  configuration,
}: Ended & { answer: unknown; configuration: Configuration }): CallOutcome {
  if (status === null) return { kind: "killed" };
  if (status !== 0) return { kind: "refused", text: stdout.trim() };
  return { kind: "done", addresses: addressesOf(answer), publishes: publishes(configuration) };
}

function addressesOf(answer: unknown): string[] {
  const { ips = [] } = (answer ?? {}) as { ips?: readonly { address: string }[] };
  return ips.map(({ address }) => address.split("/")[0] ?? "");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function textOf(outcome: CallOutcome): string {
  if (outcome.kind === "done") return `done ${outcome.addresses.join()}`;
  return outcome.kind === "refused" ? `refused ${outcome.text}` : "killed";
}

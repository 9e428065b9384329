/**
 * `./build.sh bench --networks`: `fairlead network create|connect|disconnect|rm` beside Docker 20.10's, process to
 * process, in one run.
 *
 * Both work on a network and a running container of their own. A round does all four commands with one contestant and
 * then with the other, in random order.
 */
import { spawn as spawnProcess } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type EnvironmentFacts, machineFacts } from "./harness/environment.ts";
import { compare, type Figure, type Samples } from "./harness/figures.ts";
import { netnsPath, run } from "./harness/host.ts";
import { waitForQuietMachine, waitForQuietMoment } from "./harness/quiet.ts";
import { formatReport } from "./harness/report.ts";
import { prepareCommand, spawn, wait } from "./harness/spawn.ts";
import { type Random, seededRandom, shuffled } from "./harness/statistics.ts";
import {
  NETWORK_COMMANDS,
  type NetworkCommand,
  type NetworksStage,
  withNetworksStage,
} from "./networks-stage.ts";

/** Set in the second run: the stage that the first one set. */
const STAGE_VARIABLE = "FAIRLEAD_BENCH_NETWORKS";

/** Largest ratio that passes, of those that have a target. */
const TARGET = 0.5;
const JUDGED: readonly NetworkCommand[] = ["create", "connect", "disconnect", "rm"];

const ROUNDS = { full: 40, quick: 4 };
const QUIET_LIMIT_MS = { full: 30_000, quick: 3_000 };

interface NetworksOptions {
  readonly bin: string;
  readonly json: string;
  readonly quick: boolean;
  readonly seed: number;
}

function parseOptions(args: readonly string[]): NetworksOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      networks: { type: "boolean", default: true },
      bin: { type: "string", default: join(import.meta.dirname, "../dist/bin") },
      json: { type: "string", default: "" },
      quick: { type: "boolean", default: false },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
    },
  });
  const { bin, json, quick, seed } = values;
  return { bin: resolve(bin), json: json && resolve(json), quick, seed: Number(seed) };
}

/** Runs the comparison; `args` are those of the program. Resolves with the exit status. */
export async function networksMain(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  const stage = process.env[STAGE_VARIABLE];
  if (stage === undefined) return withNetworksStage(options.bin, (made) => runSelf(args, made));
  measure(JSON.parse(stage) as NetworksStage, options);
  return 0;
}

/** Runs this program again, on Fairlead's host: its command line is started straight from the process that times it. */
function runSelf(args: readonly string[], stage: NetworksStage): Promise<number> {
  const program = [process.execPath, ...process.execArgv, process.argv[1] ?? "", ...args];
  const child = spawnProcess("nsenter", [`--net=${netnsPath(stage.hostNetns)}`, "--", ...program], {
    stdio: "inherit",
    env: { ...process.env, [STAGE_VARIABLE]: JSON.stringify(stage) },
  });
  return new Promise((settle, reject) => {
    child.on("error", reject);
    child.on("exit", (status) => settle(status ?? 1));
  });
}

type Side = "ours" | "reference";

function measure(stage: NetworksStage, { json, quick, seed }: NetworksOptions): void {
  const extent = quick ? "quick" : "full";
  const random = seededRandom(seed);
  const idleBefore = waitForQuietMachine(QUIET_LIMIT_MS[extent]);
  const samples = newSamples();
  for (let round = 0; round < ROUNDS[extent]; round += 1) {
    for (const side of shuffled<Side>(["ours", "reference"], random))
      measureRound(stage, { side, round }, samples);
  }
  const figures = NETWORK_COMMANDS.map((command) => figureOf(command, samples[command], random));
  const environment: EnvironmentFacts = {
    ...machineFacts(),
    ours: run(stage.fairlead, "version").trim(),
    reference: run(stage.docker[0] ?? "", "--version").trim(),
    idleBefore,
    seed,
  };
  console.log(formatReport(figures, environment));
  if (json) writeFileSync(json, `${JSON.stringify({ environment, figures }, null, 2)}\n`);
}

type MutableSamples = Record<NetworkCommand, Record<Side, number[]>>;

function newSamples(): MutableSamples {
  const empty = (): Record<Side, number[]> => ({ ours: [], reference: [] });
  return Object.fromEntries(NETWORK_COMMANDS.map((command) => [command, empty()])) as MutableSamples;
}

function figureOf(command: NetworkCommand, samples: Samples, random: Random): Figure {
  const target = JUDGED.includes(command) ? { atMost: TARGET } : {};
  return compare(`network ${command}`, samples, { ...target, random });
}

interface Round {
  readonly side: Side;
  readonly round: number;
}

function measureRound(stage: NetworksStage, { side, round }: Round, samples: MutableSamples): void {
  const name = `bench${round}`;
  const arguments_: Readonly<Record<NetworkCommand, readonly string[]>> = {
    create: [name],
    connect: [name, stage.container],
    inspect: [name],
    ls: [],
    disconnect: [name, stage.container],
    rm: [name],
  };
  for (const command of ["create", "connect", "inspect", "ls", "disconnect", "rm"] as const) {
    const argv = commandLine(stage, side, [command, ...arguments_[command]]);
    samples[command][side].push(timeOf(argv));
  }
}

function commandLine(
  { docker, fairlead, places }: NetworksStage,
  side: Side,
  [command, ...args]: readonly [NetworkCommand, ...string[]],
): readonly string[] {
  if (side === "reference") return [...docker, "network", command, ...args];
  return [fairlead, "network", command, ...places[command], ...args];
}

const ENVIRONMENT = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/nonexistent" };

/** Milliseconds from the start of the process to its end. @throws when it fails. */
function timeOf(argv: readonly string[]): number {
  const prepared = prepareCommand(argv, ENVIRONMENT);
  const nowhere = openSync("/dev/null", "r+");
  try {
    waitForQuietMoment();
    const start = performance.now();
    const { status } = wait(spawn(prepared, [nowhere, nowhere, 2]));
    const elapsedMs = performance.now() - start;
    if (status !== 0) throw new Error(`${argv.join(" ")}: exit status ${status}`);
    return elapsedMs;
  } finally {
    closeSync(nowhere);
  }
}

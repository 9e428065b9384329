/** Makes histories out of numbers of chance. Pure: a seed gives the same history always. */
import { between, oneOf, type Random, randomOf, weighted } from "../support/random.ts";
import {
  type CallVerb,
  CONTAINERS,
  EDITS,
  type History,
  NETWORKS,
  type PluginCall,
  type Process,
  type Step,
} from "./history.ts";

const SHORTEST = 5;
const LONGEST = 15;
/** Most calls that are made at once. */
const AT_ONCE = 3;
/** Spread over the life of a call, with a worker (2 to 5 ms) and without (10 to 20 ms). */
const KILL_AFTER_MS = [1, 2, 3, 4, 6, 9, 13, 20];
const CLOCK_HOURS = [-2, 2];

const CALL_WEIGHTS: Readonly<Record<CallVerb, number>> = { ADD: 6, DEL: 4, CHECK: 1 };
const KILLED_SHARE = 0.25;
const CACHED_SHARE = 0.5;

/** What a step leaves behind that decides which steps make sense after it. */
interface Situation {
  stopped: boolean;
  dead: boolean;
  hasBackup: boolean;
}

export function generateHistory(seed: number): History {
  const random = randomOf(seed);
  const situation: Situation = { stopped: false, dead: false, hasBackup: false };
  const length = between(random, SHORTEST, LONGEST);
  return Array.from({ length }, () => nextStep(random, situation));
}

function nextStep(random: Random, situation: Situation): Step {
  const kind = weighted(random, weightsIn(situation));
  note(kind, situation);
  return makeStep(random, kind);
}

type Kind = Step["kind"] | "together";

/** `continue`, `start` and `restore` are for situations in which they do something. */
function weightsIn({ stopped, dead, hasBackup }: Situation): Readonly<Record<Kind, number>> {
  return {
    call: 48,
    together: 12,
    gc: 4,
    kill: 9,
    stop: 9,
    continue: stopped ? 14 : 0,
    start: dead ? 14 : 0,
    reboot: 3,
    backup: 4,
    restore: hasBackup ? 8 : 0,
    clock: 2,
    edit: 6,
  };
}

function note(kind: Kind, situation: Situation): void {
  if (kind === "stop") situation.stopped = true;
  if (kind === "kill") situation.dead = true;
  if (kind === "backup") situation.hasBackup = true;
  if (kind === "continue" || kind === "reboot") situation.stopped = false;
  if (kind === "start" || kind === "reboot") situation.dead = false;
}

function makeStep(random: Random, kind: Kind): Step {
  switch (kind) {
    case "call":
      return { kind, calls: [makeCall(random)] };
    case "together":
      return {
        kind: "call",
        calls: Array.from({ length: between(random, 2, AT_ONCE) }, () => makeCall(random)),
      };
    case "gc":
      return { kind, network: between(random, 0, NETWORKS - 1), ...killOf(random) };
    case "kill":
    case "stop":
      return { kind, process: oneOf<Process>(random, ["server", "agent", "worker"]) };
    case "clock":
      return { kind, hours: oneOf(random, CLOCK_HOURS) };
    case "edit":
      return { kind, network: between(random, 0, NETWORKS - 1), edit: oneOf(random, EDITS) };
    default:
      return { kind };
  }
}

function makeCall(random: Random): PluginCall {
  const verb = weighted(random, CALL_WEIGHTS);
  const who = between(random, 0, CONTAINERS - 1);
  const cached = verb !== "ADD" && random() < CACHED_SHARE;
  return { verb, who, ...(cached && { cached }), ...killOf(random) };
}

function killOf(random: Random): { killAfterMs?: number } {
  return random() < KILLED_SHARE ? { killAfterMs: oneOf(random, KILL_AFTER_MS) } : {};
}

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
  type Strike,
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
/** Of the processes that are killed or stopped: while calls are under way. */
const STRUCK_SHARE = 0.5;
const CACHED_SHARE = 0.5;
/**
 * Of the histories: a quarrel about few containers, most of it calls at once. What calls do to each other shows there sooner; what
 * a store's past does to them needs the others, of which each takes several times as long.
 */
const QUARREL_SHARE = 0.5;
/** Containers of a quarrel. */
const QUARRELLING = 2;

/** What a step leaves behind that decides which steps make sense after it. */
interface Situation {
  readonly isQuarrel: boolean;
  readonly whos: readonly number[];
  stopped: boolean;
  dead: boolean;
  hasBackup: boolean;
}

export function generateHistory(seed: number): History {
  const random = randomOf(seed);
  const situation = beginning(random);
  const length = between(random, SHORTEST, LONGEST);
  return Array.from({ length }, () => nextStep(random, situation));
}

function beginning(random: Random): Situation {
  const isQuarrel = random() < QUARREL_SHARE;
  const all = Array.from({ length: CONTAINERS }, (_, who) => who);
  const whos = isQuarrel ? Array.from({ length: QUARRELLING }, () => oneOf(random, all)) : all;
  return { isQuarrel, whos, stopped: false, dead: false, hasBackup: false };
}

function nextStep(random: Random, situation: Situation): Step {
  const weights = situation.isQuarrel ? quarrelWeightsIn(situation) : weightsIn(situation);
  const kind = weighted(random, weights);
  note(kind, situation);
  return makeStep(random, kind, situation.whos);
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

/** No step that takes the daemons' start for all, and the store's past as it is. */
function quarrelWeightsIn(situation: Situation): Readonly<Record<Kind, number>> {
  const none = { reboot: 0, backup: 0, restore: 0, clock: 0 };
  return { ...weightsIn(situation), ...none, call: 25, together: 40 };
}

function note(kind: Kind, situation: Situation): void {
  if (kind === "stop") situation.stopped = true;
  if (kind === "kill") situation.dead = true;
  if (kind === "backup") situation.hasBackup = true;
  if (kind === "continue" || kind === "reboot") situation.stopped = false;
  if (kind === "start" || kind === "reboot") situation.dead = false;
}

function makeStep(random: Random, kind: Kind, whos: readonly number[]): Step {
  switch (kind) {
    case "call":
      return { kind, calls: [makeCall(random, whos)] };
    case "together":
      return { kind: "call", calls: makeCalls(random, { fewest: 2, whos }) };
    case "gc":
      return { kind, network: between(random, 0, NETWORKS - 1), ...killOf(random) };
    case "kill":
    case "stop":
      return makeStrike(random, kind, whos);
    case "clock":
      return { kind, hours: oneOf(random, CLOCK_HOURS) };
    case "edit":
      return { kind, network: between(random, 0, NETWORKS - 1), edit: oneOf(random, EDITS) };
    default:
      return { kind };
  }
}

function makeStrike(random: Random, kind: Strike["kind"], whos: readonly number[]): Step {
  const process = oneOf<Process>(random, ["server", "agent", "worker"]);
  if (random() >= STRUCK_SHARE) return { kind, process };
  const meanwhile = { kind, process, afterMs: oneOf(random, KILL_AFTER_MS) };
  return { kind: "call", calls: makeCalls(random, { fewest: 1, whos }), meanwhile };
}

function makeCalls(
  random: Random,
  { fewest, whos }: { readonly fewest: number; readonly whos: readonly number[] },
): PluginCall[] {
  return Array.from({ length: between(random, fewest, AT_ONCE) }, () => makeCall(random, whos));
}

function makeCall(random: Random, whos: readonly number[]): PluginCall {
  const verb = weighted(random, CALL_WEIGHTS);
  const who = oneOf(random, whos);
  const cached = verb !== "ADD" && random() < CACHED_SHARE;
  return { verb, who, ...(cached && { cached }), ...killOf(random) };
}

function killOf(random: Random): { killAfterMs?: number } {
  return random() < KILLED_SHARE ? { killAfterMs: oneOf(random, KILL_AFTER_MS) } : {};
}

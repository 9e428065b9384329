/** Plays a history on a world, and says what it broke. */
import { setTimeout as sleep } from "node:timers/promises";
import { FairleadError } from "../../lib/errors.ts";
import type { Event } from "../../lib/ipam/api.ts";
import { formatStep, type History, type PluginCall, type Step, type Strike } from "./history.ts";
import { judgeEnd, judgeLife, judgeReleases, type Snapshot, TO_DELETE } from "./judge.ts";
import { Runtime } from "./runtime.ts";
import { stateOf, takeSnapshot } from "./snapshot.ts";
import { StoreChanges } from "./store-changes.ts";
import { disagreement } from "./witness.ts";
import type { World } from "./world.ts";

/** How long the node has for making things right again by itself. */
const RECONCILE_LIMIT_MS = 20_000;
const LOOK_EVERY_MS = 20;
/** So many looks in a row must show the same before all is taken to be at rest. */
const SAME_LOOKS = 4;
const DELETE_ATTEMPTS = 3;
const EVENTS_AT_ONCE = 10_000;
/** Of so many histories one is looked at with the kernel's own tools, too. */
const WITNESS_EVERY = 20;

export interface Verdict {
  readonly problems: readonly string[];
  /** What was done and answered, for people. */
  readonly log: readonly string[];
  /** ADDs that were answered with success. */
  readonly added: number;
}

let played = 0;

/**
 * @param limitMs how long what is wrong may take to come right by itself.
 * @throws when the world itself breaks: a daemon that does not start.
 */
export function play(world: World, history: History, limitMs: number = RECONCILE_LIMIT_MS): Promise<Verdict> {
  played += 1;
  return new Player(world, played, limitMs).play(history);
}

class Player {
  readonly #world: World;
  readonly #runtime: Runtime;
  readonly #store: StoreChanges;
  readonly #problems: string[] = [];
  readonly #limitMs: number;
  readonly #isWitnessed: boolean;
  /** Revision of the newest event that was looked at. */
  #seen = 0;
  /** Changes of the stays when that was. */
  #changes: readonly number[] = [];

  constructor(world: World, number: number, limitMs: number) {
    this.#limitMs = limitMs;
    this.#isWitnessed = number % WITNESS_EVERY === 1;
    this.#world = world;
    this.#runtime = new Runtime(world, `h${number}x`);
    this.#store = new StoreChanges(world);
  }

  async play(history: History): Promise<Verdict> {
    this.#seen = (await this.#world.service.info()).revision;
    for (const step of history) {
      this.#runtime.log.push(`-- ${formatStep(step)}`);
      await this.#take(step);
      await this.#judgeEvents();
    }
    await this.#comeToRest();
    await this.#judge("after the last step", judgeLife);
    await this.#askWitness();
    await this.#deleteAll();
    await this.#judge("after the last DEL", judgeEnd);
    if (this.#problems.length > 0) this.#runtime.log.push(...(await stateOf(this.#world)));
    return this.#verdict();
  }

  #verdict(): Verdict {
    const { log } = this.#runtime;
    const added = log.filter((line) => line.startsWith("ADD") && line.includes(" done ")).length;
    return { problems: this.#problems, log, added };
  }

  async #take(step: Step): Promise<void> {
    switch (step.kind) {
      case "call":
        return this.#call(step.calls, step.meanwhile);
      case "gc":
        return this.#runtime.collectGarbage(step.network, step.killAfterMs);
      case "kill":
        return this.#world.kill(step.process);
      case "stop":
        return this.#world.stop(step.process);
      case "continue":
        return this.#world.continue();
      case "start":
        return this.#world.startAmidTrouble();
      case "edit":
        return this.#runtime.edit(step.network, step.edit);
      default:
        return this.#befall(step.kind === "clock" ? step.hours : step.kind);
    }
  }

  async #call(calls: readonly PluginCall[], meanwhile: Strike | undefined): Promise<void> {
    const answers = this.#runtime.call(calls);
    if (meanwhile !== undefined) await this.#strike(meanwhile);
    await answers;
  }

  async #strike({ kind, process, afterMs }: Strike): Promise<void> {
    await sleep(afterMs);
    if (kind === "kill") await this.#world.kill(process);
    else this.#world.stop(process);
  }

  /** @param what hours: the clock. */
  async #befall(what: "reboot" | "backup" | "restore" | number): Promise<void> {
    if (what === "reboot") {
      await this.#runtime.rebooted();
      return this.#world.reboot();
    }
    if (what === "backup") return this.#store.backup();
    if (what !== "restore") return this.#store.shiftClock(what);
    this.#seen = (await this.#store.restore()) ?? this.#seen;
  }

  /** Only when the service can be asked; what happens until it can be is judged then. */
  async #judgeEvents(): Promise<void> {
    if (!this.#world.isServing) return;
    const events = await this.#newEvents();
    if (events === null) return;
    const changes = this.#runtime.ledger.changes();
    const live = this.#runtime.ledger.those("live").filter((who) => changes[who] === this.#changes[who]);
    const problems = judgeReleases({ live, events }, this.#runtime.idOf);
    this.#runtime.log.push(...problems);
    this.#problems.push(...problems);
    this.#seen = events.at(-1)?.revision ?? this.#seen;
    this.#changes = changes;
  }

  /** Null: the service is not there yet. */
  async #newEvents(): Promise<readonly Event[] | null> {
    try {
      return await this.#world.service.listEvents({ since: this.#seen, limit: EVENTS_AT_ONCE });
    } catch (thrown) {
      if (thrown instanceof FairleadError && thrown.code === "unavailable") return null;
      throw thrown;
    }
  }

  async #comeToRest(): Promise<void> {
    this.#world.continue();
    await this.#world.start();
    await this.#runtime.finish();
    await this.#settle();
  }

  /** Until server and workers wait for something to do, and have done nothing for some looks. */
  async #settle(): Promise<void> {
    let before = "";
    for (let same = 0; same < SAME_LOOKS; ) {
      const { text, isIdle } = this.#world.activity();
      same = isIdle && text === before ? same + 1 : 0;
      before = text;
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** What is wrong must come right by itself in time. */
  async #judge(when: string, invariant: typeof judgeLife): Promise<void> {
    const giveUpAt = performance.now() + this.#limitMs;
    for (;;) {
      const { ledger, idOf } = this.#runtime;
      const snapshot: Snapshot = await takeSnapshot(this.#world);
      const problems = invariant({ ledger, snapshot, idOf });
      if (problems.length === 0) break;
      if (performance.now() > giveUpAt) {
        this.#problems.push(...problems.map((problem) => `${when}: ${problem}`));
        break;
      }
      await sleep(5 * LOOK_EVERY_MS);
    }
    await this.#judgeEvents();
  }

  async #askWitness(): Promise<void> {
    if (this.#isWitnessed) this.#problems.push(...(await disagreement(this.#world.kernel)));
  }

  async #deleteAll(): Promise<void> {
    const whos = TO_DELETE.flatMap((phase) => this.#runtime.ledger.those(phase));
    for (const who of whos) await this.#deleteOne(who);
    await this.#settle();
  }

  async #deleteOne(who: number): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const said = await this.#runtime.callToTheEnd({ verb: "DEL", who });
      if (said === null) return;
      if (attempt < DELETE_ATTEMPTS) continue;
      this.#problems.push(`DEL of c${who} fails: ${said}`);
      return;
    }
  }
}

/**
 * Attachments on this node: what somebody took away from one, on the host, is made again.
 *
 * What each should have is in its runtime's cache of results; what it has, the kernel tells. Looked at as soon as a link or a rule
 * has changed, and every ten seconds. Nothing is done to an attachment unless its link, with its name in the alias, is here, and
 * the service says that its addresses are bound here, nor while an ADD or a DEL for it is under way. Nothing is ever removed. The work is done by a process of its own, which runs
 * the code of the plugin that made the attachment (`plugins/run/mender.ts`).
 */
import { existsSync } from "node:fs";
import { asFairleadError, FairleadError } from "../../lib/errors.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import type { AgentContext, AgentPart } from "../base/part.ts";
import { LookLoop } from "../reconcile/look-loop.ts";
import { Problems, problemOf } from "../reconcile/problems.ts";
import { RoundRetries } from "../reconcile/round-retries.ts";
import { CacheView } from "./cache-view.ts";
import { type Actual, faultsOf, hasLink } from "./compare.ts";
import type { DesiredAttachment } from "./desired.ts";
import { boundHere, keyText } from "./evidence.ts";
import { AttachmentKernel } from "./kernel.ts";
import { type Mend, type MendAnswer, mendByProcess } from "./mender.ts";
import { askers, askNames, namesProblems } from "./names-probe.ts";

const BACK_OFF = { firstMs: 1_000, mostMs: 60_000 };
/** Given to one process at a time; the rest waits for the next look. */
const MOST_AT_ONCE = 256;
/** Object of problems that are about no attachment. The blank keeps it apart from attachments. */
const LOOKING = "attachments of this node";

export interface AttachmentsOptions {
  /** Null: there is nobody to do it. */
  readonly mend?: Mend | null;
}

export async function startAttachments(
  context: AgentContext,
  { mend = mendByProcess() }: AttachmentsOptions = {},
): Promise<AgentPart> {
  const keeper = new AttachmentKeeper(context, { mend, onRetry: () => loop.request() });
  const loop = new LookLoop({
    hasChanged: () => keeper.hasChanged(),
    look: () => keeper.look(),
    onFailure: (thrown) => keeper.lookFailed(thrown),
  });
  return {
    name: "attachments",
    applied: async () => {},
    problems: () => keeper.problems(),
    figures: () => keeper.figures(),
    refresh: async () => {
      await loop.now();
      await keeper.probeNames();
    },
    close: async () => {
      await loop.close();
      await keeper.close();
    },
  };
}

/** An attachment with what it lacks. */
interface Broken {
  readonly desired: DesiredAttachment;
  readonly faults: readonly string[];
}

interface KeeperOptions {
  readonly mend: Mend | null;
  /** What could not be mended may be tried again. */
  readonly onRetry: () => void;
}

/** An ADD or DEL for the attachment is under way: no problem, but to be asked again. */
class Busy extends Error {}

class AttachmentKeeper {
  readonly #context: AgentContext;
  readonly #mend: Mend | null;
  readonly #cache: CacheView;
  readonly #kernel = new AttachmentKernel();
  readonly #problems: Problems;
  /** Attachments that could not be mended, by their texts: each is looked at again when it has rested. */
  readonly #retries: RoundRetries;
  /** Seen in the look before: an ADD or a DEL that was under way has gone on since. */
  #suspects: ReadonlySet<string> = new Set();
  /** Whose rules went with the table, and were not made again yet. */
  readonly #unruled = new Set<string>();
  /** Attachments that lacked nothing at the last look. */
  #whole: readonly DesiredAttachment[] = [];
  /** What was wrong with names when somebody wanted to know. */
  #names: readonly AgentProblem[] = [];
  #figures = { attachments: 0, mended: 0, postponed: 0 };

  constructor(context: AgentContext, { mend, onRetry }: KeeperOptions) {
    this.#context = context;
    this.#mend = mend;
    this.#cache = new CacheView(context.config.cniCacheDir);
    this.#problems = new Problems(context.logger);
    this.#retries = new RoundRetries({
      limits: BACK_OFF,
      askAgain: onRetry,
      problems: this.#problems,
      problemOf: (thrown, key) =>
        thrown instanceof Busy ? null : problemOf(key, asFairleadError(thrown, "keep attachment", key)),
    });
  }

  problems() {
    return [...this.#problems.list(), ...this.#names];
  }

  figures(): Record<string, number> {
    return { ...this.#figures };
  }

  hasChanged(): boolean {
    return this.#kernel.hasChanged();
  }

  async close(): Promise<void> {
    await this.#retries.close();
    this.#kernel.close();
  }

  lookFailed(thrown: unknown): void {
    const error = asFairleadError(thrown, "look after", LOOKING);
    // The service may be away for hours, and its feed says so already.
    if (error.code !== "unavailable") this.#problems.set(LOOKING, error);
    this.#kernel.close();
  }

  /** Asks for a name from a container of each network. */
  async probeNames(): Promise<void> {
    const asked = askers(this.#whole);
    try {
      this.#names = namesProblems(asked, await askNames(asked));
    } catch (thrown) {
      this.#context.logger.warn({ reason: (thrown as Error).message }, "agent: names could not be tried");
    }
  }

  /** One look, and what follows from it. Returns true when another one should follow soon. */
  async look(): Promise<boolean> {
    const all = await this.#cache.list();
    const actual = this.#kernel.read();
    const here = all.filter((one) => hasLink(one, actual));
    const broken = here
      .map((desired): Broken => ({ desired, faults: this.#faultsOf(desired, actual) }))
      .filter(({ faults }) => faults.length > 0);
    const lost = all.filter((one) => !hasLink(one, actual) && existsSync(one.netns)).map(lostLink);
    const brokenOnes = new Set(broken.map(({ desired }) => desired));
    this.#whole = here.filter((one) => !brokenOnes.has(one));
    this.#figures.attachments = here.length;
    const seen = [...broken, ...lost];
    this.#forget(all, seen);
    const isSure = ({ desired }: Broken) => this.#suspects.has(keyText(desired.key));
    const isMore = await this.#settle(broken.filter(isSure), lost.filter(isSure));
    const before = this.#suspects;
    this.#suspects = new Set(seen.map(({ desired }) => keyText(desired.key)));
    this.#problems.clear(LOOKING);
    return isMore || [...this.#suspects].some((key) => !before.has(key));
  }

  /** Of what is in no list that is looked at, the table tells: who removes it removes everything. */
  #faultsOf(desired: DesiredAttachment, actual: Actual): string[] {
    const key = keyText(desired.key);
    if (actual.tableWasLost) this.#unruled.add(key);
    const faults = faultsOf(desired, actual);
    return this.#unruled.has(key) ? [...faults, "somebody removed the rules of Fairlead"] : faults;
  }

  async #settle(broken: readonly Broken[], lost: readonly Broken[]): Promise<boolean> {
    if (broken.length + lost.length === 0) return false;
    const { service, config } = this.#context;
    const subjects = [...broken, ...lost].map(({ desired }) => desired);
    const bound = await boundHere(service, config.nodeName, subjects);
    const isBound = ({ desired }: Broken) => bound.has(desired);
    for (const one of lost.filter(isBound)) this.#problems.set(keyText(one.desired.key), gone(one));
    for (const one of broken.filter((each) => !isBound(each)))
      this.#problems.set(keyText(one.desired.key), unbound(one));
    const due = broken.filter((one) => isBound(one) && !this.#retries.isResting(keyText(one.desired.key)));
    if (due.length > 0) await this.#mendAll(due.slice(0, MOST_AT_ONCE));
    return due.length > MOST_AT_ONCE;
  }

  async #mendAll(broken: readonly Broken[]): Promise<void> {
    const answers =
      this.#mend === null ? [] : await this.#mend(broken.flatMap(({ desired }) => desired.requests));
    let at = 0;
    for (const one of broken) {
      const own = answers.slice(at, at + one.desired.requests.length);
      at += one.desired.requests.length;
      this.#told(one, own);
    }
  }

  #told(broken: Broken, answers: readonly MendAnswer[]): void {
    const key = keyText(broken.desired.key);
    const problems = answers.map(({ problem }) => problem).filter((problem) => problem !== "");
    if (answers.length === 0) problems.push("nobody could be asked to mend it");
    if (problems.length > 0) {
      this.#retries.failed(key, unmended(broken, problems.join("; ")));
    } else if (answers.some(({ isBusy }) => isBusy)) {
      this.#retries.failed(key, new Busy());
      this.#figures.postponed++;
    } else this.#mended(key, broken);
  }

  #mended(key: string, { faults }: Broken): void {
    this.#figures.mended++;
    this.#retries.forget(key);
    this.#unruled.delete(key);
    this.#context.logger.warn({ attachment: key, faults: faults.join("; ") }, "agent: attachment mended");
  }

  /** What is not broken any more, or not there any more, is no problem any more. */
  #forget(all: readonly DesiredAttachment[], seen: readonly Broken[]): void {
    const known = new Set(all.map(({ key }) => keyText(key)));
    this.#problems.keepOnly(new Set([...known, LOOKING]));
    this.#retries.keepOnly(known);
    for (const key of this.#unruled) if (!known.has(key)) this.#unruled.delete(key);
    const broken = new Set(seen.map(({ desired }) => keyText(desired.key)));
    for (const key of known) if (!broken.has(key)) this.#problems.clear(key);
  }
}

function lostLink(desired: DesiredAttachment): Broken {
  return { desired, faults: [`its link ${desired.hostIfname} is gone`] };
}

function faultOf({ desired, faults }: Broken, reason: string, hint: string): FairleadError {
  return new FairleadError({
    code: "check-failed",
    operation: "keep attachment",
    object: keyText(desired.key),
    reason: `${faults.join("; ")}${reason}`,
    hint,
  });
}

const ATTACH_AGAIN = "restart the container, or disconnect it from the network and connect it again";

function gone(broken: Broken): FairleadError {
  return faultOf(broken, "", ATTACH_AGAIN);
}

function unbound(broken: Broken): FairleadError {
  return faultOf(broken, "; left alone, because its addresses are not leased to it here", ATTACH_AGAIN);
}

function unmended(broken: Broken, problem: string): FairleadError {
  return faultOf(broken, `; cannot be mended: ${problem}`, "it is tried again");
}

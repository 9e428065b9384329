/**
 * Attachments on this node: what somebody took away from one, on the host, is made again.
 *
 * What each should have is in its runtime's cache of results; what it has, the kernel tells. Looked at as soon as a link or a rule
 * has changed, and every ten seconds. Nothing is done to an attachment unless its link, with its name in the alias, is here, and
 * the service says that its addresses are bound here. Nothing is ever removed. The work is done by a process of its own, which runs
 * the code of the plugin that made the attachment (`plugins/mender.ts`).
 */
import { existsSync } from "node:fs";
import { asFairleadError, FairleadError } from "../../lib/errors.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import { Problems } from "../networks/problems.ts";
import type { AgentContext, AgentPart } from "../part.ts";
import { BackOff } from "./back-off.ts";
import { CacheView } from "./cache-view.ts";
import { type Actual, faultsOf, hasLink } from "./compare.ts";
import type { DesiredAttachment } from "./desired.ts";
import { boundHere, keyText } from "./evidence.ts";
import { AttachmentKernel } from "./kernel.ts";
import { LookLoop } from "./look-loop.ts";
import { type Mend, mendByProcess } from "./mender.ts";
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
  const keeper = new AttachmentKeeper(context, mend);
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
      keeper.close();
    },
  };
}

/** An attachment with what it lacks. */
interface Broken {
  readonly desired: DesiredAttachment;
  readonly faults: readonly string[];
}

class AttachmentKeeper {
  readonly #context: AgentContext;
  readonly #mend: Mend | null;
  readonly #cache: CacheView;
  readonly #kernel = new AttachmentKernel();
  readonly #problems: Problems;
  readonly #backOff = new BackOff(BACK_OFF);
  /** Seen in the look before: an ADD or a DEL that was under way has gone on since. */
  #suspects: ReadonlySet<string> = new Set();
  /** Whose rules went with the table, and were not made again yet. */
  readonly #unruled = new Set<string>();
  /** Attachments that lacked nothing at the last look. */
  #whole: readonly DesiredAttachment[] = [];
  /** What was wrong with names when somebody wanted to know. */
  #names: readonly AgentProblem[] = [];
  #figures = { attachments: 0, mended: 0 };

  constructor(context: AgentContext, mend: Mend | null) {
    this.#context = context;
    this.#mend = mend;
    this.#cache = new CacheView(context.config.cniCacheDir);
    this.#problems = new Problems(context.logger);
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

  close(): void {
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
    const due = broken.filter(
      (one) => isBound(one) && this.#backOff.isDue(keyText(one.desired.key), performance.now()),
    );
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
      const problem =
        own.length === 0 ? "nobody could be asked to mend it" : own.filter((text) => text !== "").join("; ");
      this.#told(one, problem);
    }
  }

  #told({ desired, faults }: Broken, problem: string): void {
    const key = keyText(desired.key);
    const { logger } = this.#context;
    if (problem === "") {
      this.#figures.mended++;
      this.#backOff.succeeded(key);
      this.#unruled.delete(key);
      this.#problems.clear(key);
      logger.warn({ attachment: key, faults: faults.join("; ") }, "agent: attachment mended");
    } else {
      this.#backOff.failed(key, performance.now());
      this.#problems.set(key, unmended({ desired, faults }, problem));
    }
  }

  /** What is not broken any more, or not there any more, is no problem any more. */
  #forget(all: readonly DesiredAttachment[], seen: readonly Broken[]): void {
    const known = new Set(all.map(({ key }) => keyText(key)));
    this.#problems.keepOnly(new Set([...known, LOOKING]));
    this.#backOff.keepOnly(known);
    for (const key of this.#unruled) if (!known.has(key)) this.#unruled.delete(key);
    const broken = new Set(seen.map(({ desired }) => keyText(desired.key)));
    for (const key of known) if (!broken.has(key)) this.#problems.clear(key);
  }
}

function lostLink(desired: DesiredAttachment): Broken {
  return { desired, faults: [`its link ${desired.hostIfname} is gone`] };
}

function problemOf({ desired, faults }: Broken, reason: string, hint: string): FairleadError {
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
  return problemOf(broken, "", ATTACH_AGAIN);
}

function unbound(broken: Broken): FairleadError {
  return problemOf(broken, "; left alone, because its addresses are not leased to it here", ATTACH_AGAIN);
}

function unmended(broken: Broken, problem: string): FairleadError {
  return problemOf(broken, `; cannot be mended: ${problem}`, "it is tried again");
}

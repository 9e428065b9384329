/** Addresses that were asked of the service, from the question to what is undone of it. */
import { asFairleadError, type FairleadError } from "../../lib/errors.ts";
import type { AcquireResponse, AttachmentKey } from "../../lib/ipam/api.ts";
import type { ReleaseIntent } from "../../lib/ipam/release-intent.ts";

/**
 * What became of the question: "open" until somebody waits for the answer, "unknown" when none came, so that it may have been
 * granted, and may be granted yet; "refused" when there was one.
 */
type Outcome = "open" | "unknown" | "refused" | AcquireResponse;

export interface GrantQuestion {
  readonly key: AttachmentKey;
  /** Name of the acquire. */
  readonly attempt: string;
  /** True when the answer is awaited only after the interface was made. */
  readonly isForInterface: boolean;
  /** Waits for the answer. */
  readonly answer: () => AcquireResponse;
}

export class PendingGrant {
  readonly #question: GrantQuestion;
  #outcome: Outcome = "open";
  #isInterfaceMade = false;
  #isSilent = false;

  constructor(question: GrantQuestion) {
    this.#question = question;
  }

  /** Waits for the addresses. To be called once. @throws FairleadError what the service says; unavailable, timeout. */
  finish(): AcquireResponse {
    this.#isInterfaceMade = this.#question.isForInterface;
    return this.#await();
  }

  #await(): AcquireResponse {
    try {
      const response = this.#question.answer();
      this.#outcome = response;
      return response;
    } catch (thrown) {
      const error = asFairleadError(thrown, "acquire address");
      this.#outcome = isUnanswered(error) ? "unknown" : "refused";
      this.#isSilent = error.code === "timeout";
      throw error;
    }
  }

  /** True when the service let the time limit pass: to ask it again would take as long again. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Whether this question was granted what the attachment did not hold before. Known when it has been answered. */
  get isNew(): boolean {
    return typeof this.#outcome === "object" && this.#outcome.created;
  }

  /**
   * The release of what this question was granted, and of nothing else: neither what the attachment held before, nor what a
   * later question was granted. Null when it was granted nothing. Waits for the answer if nobody has.
   *
   * What was held before goes, too, when the interface was made for this question: nothing alive had the addresses then. A
   * service that was started anew after it had granted them, and before anybody knew, says that they were held before.
   */
  undoing(): Omit<ReleaseIntent, "attempt"> | null {
    if (this.#outcome === "open") this.#settle();
    const { key } = this.#question;
    const outcome = this.#outcome;
    if (outcome === "unknown") return this.#givingUp();
    if (outcome === "refused" || outcome === "open") return null;
    if (!outcome.created && !this.#isInterfaceMade) return null;
    return { key, sequences: outcome.addresses.map(({ sequence }) => sequence) };
  }

  #givingUp(): Omit<ReleaseIntent, "attempt"> {
    const { key, attempt } = this.#question;
    const given = { key, attempts: [attempt], onlyAttempts: true };
    return this.#isInterfaceMade ? { ...given, wasNew: true } : given;
  }

  #settle(): void {
    try {
      this.#await();
    } catch {
      // Whoever undoes has a failure to report already; this one is in the outcome.
    }
  }
}

/** Whether the service may have done what it was asked all the same. */
function isUnanswered({ code, details }: FairleadError): boolean {
  return code === "timeout" || (code === "unavailable" && details["wasSent"] !== false);
}

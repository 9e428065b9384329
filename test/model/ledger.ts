/**
 * What the runtime knows of its containers, by the answers that it got. The judge holds it against the kernel and the service.
 *
 * - `absent`: never added, or a DEL was answered with success and no other call came in between.
 * - `live`: an ADD was answered with success, and nobody asked for its end.
 * - `unsure`: a call failed, was killed, has no answer yet, or met another one: anything may be there, until a DEL.
 * - `lost`: a reboot took it; nobody will send a DEL for it.
 */
import { CONTAINERS, type PluginCall } from "./history.ts";

export type Phase = "absent" | "live" | "unsure" | "lost";

export interface Stay {
  readonly phase: Phase;
  /** Of the ADD; without prefix length. Empty unless live. */
  readonly addresses: readonly string[];
  /** True when the ADD published the container's port. */
  readonly publishes: boolean;
  /** Grows with whatever begins, ends or casts doubt on a stay: an equal number means that it was live all the time. */
  readonly change: number;
}

/** How a call ended. `killed`: no answer came. */
export type CallOutcome =
  | { readonly kind: "done"; readonly addresses: readonly string[]; readonly publishes: boolean }
  | { readonly kind: "refused"; readonly text: string }
  | { readonly kind: "killed" };

/** A call that was begun; give it to {@link Ledger.ended}. */
export interface BegunCall {
  readonly call: PluginCall;
  /** True when another call for the same container was under way at some time: either may have had the last word. */
  isMet: boolean;
}

const NOTHING: Stay = { phase: "absent", addresses: [], publishes: false, change: 0 };

export class Ledger {
  readonly #stays: Stay[] = Array.from({ length: CONTAINERS }, () => NOTHING);
  readonly #underWay = new Set<BegunCall>();

  stay(who: number): Stay {
    return this.#stays[who] ?? NOTHING;
  }

  /** Numbers of the containers in a phase. */
  those(phase: Phase): number[] {
    return this.#stays.flatMap((stay, who) => (stay.phase === phase ? [who] : []));
  }

  /** {@link Stay.change} of each container. */
  changes(): number[] {
    return this.#stays.map(({ change }) => change);
  }

  begun(call: PluginCall): BegunCall {
    const begun = { call, isMet: false };
    if (call.verb === "CHECK") return begun;
    this.#meetOthers(begun);
    // A second ADD must be refused and must harm nothing: what is live stays so.
    const isSecond = call.verb === "ADD" && this.stay(call.who).phase === "live";
    if (!isSecond || begun.isMet) this.#move(call.who, "unsure");
    return begun;
  }

  ended(begun: BegunCall, outcome: CallOutcome): void {
    this.#underWay.delete(begun);
    const { who, verb } = begun.call;
    if (begun.isMet || outcome.kind !== "done" || verb === "CHECK") return;
    this.#move(who, verb === "DEL" ? "absent" : "live", outcome);
  }

  rebooted(): void {
    for (const who of [...this.those("live"), ...this.those("unsure")]) this.#move(who, "lost");
  }

  #meetOthers(begun: BegunCall): void {
    const others = [...this.#underWay].filter(({ call }) => call.who === begun.call.who);
    for (const one of others) one.isMet = true;
    begun.isMet = others.length > 0;
    this.#underWay.add(begun);
  }

  #move(who: number, phase: Phase, gained: Pick<Stay, "addresses" | "publishes"> = NOTHING): void {
    const { addresses, publishes } = phase === "live" ? gained : NOTHING;
    this.#stays[who] = { phase, addresses, publishes, change: this.stay(who).change + 1 };
  }
}

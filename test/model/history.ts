/**
 * What may happen to the attachments of one node, as data: a history can be printed, replayed and shortened.
 *
 * A runtime has {@link CONTAINERS} containers, each with one interface on one of two networks. It gives up on a call
 * that takes longer than a step lasts only when it has another one for the same container: then it kills the plugin. A GC it gives
 * up for any call.
 */

/** Containers of a node. The even ones are on the first network, the odd ones on the second. */
export const CONTAINERS = 5;
export const NETWORKS = 2;

export type CallVerb = "ADD" | "DEL" | "CHECK";

export interface PluginCall {
  readonly verb: CallVerb;
  /** Number of the container, from 0. */
  readonly who: number;
  /** SIGKILL to the plugin after so many milliseconds, if it runs as long. */
  readonly killAfterMs?: number;
  /** The configuration as it was at ADD, as libcni keeps it, instead of today's. ADD always takes today's. */
  readonly cached?: boolean;
}

export type Daemon = "server" | "agent";
export type Process = Daemon | "worker";

/** What befalls a process while calls are under way: SIGKILL, or SIGSTOP, so many milliseconds after they began. */
export interface Strike {
  readonly kind: "kill" | "stop";
  readonly process: Process;
  readonly afterMs: number;
}

/** What an editor of the conflist may do to it. `plain` puts everything back. */
export const EDITS = ["plain", "no-ports", "no-source-check", "no-ipam", "broken", "other-subnet"] as const;
export type Edit = (typeof EDITS)[number];

export type Step =
  /** One call, or several at once. */
  | { readonly kind: "call"; readonly calls: readonly PluginCall[]; readonly meanwhile?: Strike }
  /** Of one network; every container that the runtime knows there is valid. */
  | { readonly kind: "gc"; readonly network: number; readonly killAfterMs?: number }
  | { readonly kind: "kill" | "stop"; readonly process: Process }
  /** SIGCONT to all that was stopped. */
  | { readonly kind: "continue" }
  /** Starts the daemons that do not run. */
  | { readonly kind: "start" }
  /** A new boot ID, no namespaces, links, rules or processes; then the daemons start. */
  | { readonly kind: "reboot" }
  | { readonly kind: "backup" | "restore" }
  /** The clock is so many hours ahead, or behind, of what it was when the store was written. */
  | { readonly kind: "clock"; readonly hours: number }
  | { readonly kind: "edit"; readonly network: number; readonly edit: Edit };

export type History = readonly Step[];

export function networkOf(who: number): number {
  return who % NETWORKS;
}

/** One step a line, for people. */
export function formatHistory(history: History): string {
  return history.map((step, at) => `  ${String(at).padStart(2)} ${formatStep(step)}`).join("\n");
}

export function formatStep(step: Step): string {
  switch (step.kind) {
    case "call":
      return `${step.calls.map(formatCall).join(" and, at once, ")}${strikeText(step.meanwhile)}`;
    case "gc":
      return `GC of network ${step.network}${killText(step.killAfterMs)}`;
    case "kill":
    case "stop":
      return `${SIGNAL[step.kind]} ${step.process}`;
    case "clock":
      return `clock ${step.hours > 0 ? "+" : ""}${step.hours} h`;
    case "edit":
      return `conflist of network ${step.network}: ${step.edit}`;
    default:
      return step.kind;
  }
}

function formatCall({ verb, who, killAfterMs, cached }: PluginCall): string {
  return `${verb} c${who}${cached ? " (cached configuration)" : ""}${killText(killAfterMs)}`;
}

const SIGNAL = { kill: "kill -9", stop: "SIGSTOP" } as const;

function strikeText(strike: Strike | undefined): string {
  if (strike === undefined) return "";
  return `, and after ${strike.afterMs} ms ${SIGNAL[strike.kind]} ${strike.process}`;
}

function killText(killAfterMs: number | undefined): string {
  return killAfterMs === undefined ? "" : `, plugin killed after ${killAfterMs} ms`;
}

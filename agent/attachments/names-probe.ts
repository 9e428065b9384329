/** Whether names work, asked from a container's side: for a status. */
import type { UdpOutcome } from "../../lib/linux/sockets/udp-question.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import { askChild, ownExecutable } from "../base/child-command.ts";
import type { DesiredAttachment } from "./desired.ts";

export interface NamesQuestion {
  readonly netns: string;
  readonly server: string;
}

const LIMIT_MS = 5_000;
/** One container a network, of so many networks. */
const MOST_NETWORKS = 64;

/** One attachment of each network whose containers were told to ask this network's gateway. Pure. */
export function askers(attachments: readonly DesiredAttachment[]): DesiredAttachment[] {
  const byNetwork = new Map<string, DesiredAttachment>();
  for (const one of attachments) {
    if (one.nameServer !== null && !byNetwork.has(one.key.networkName))
      byNetwork.set(one.key.networkName, one);
  }
  return [...byNetwork.values()].slice(0, MOST_NETWORKS);
}

/** What is wrong with names, as containers meet it. Pure. */
export function namesProblems(
  asked: readonly DesiredAttachment[],
  outcomes: readonly UdpOutcome[],
): AgentProblem[] {
  return asked.flatMap(({ key, nameServer }, at): AgentProblem[] => {
    const outcome = outcomes[at];
    if (outcome !== "refused" && outcome !== "silent") return [];
    const reason =
      outcome === "refused"
        ? "nobody serves names there; see the log of the agent"
        : "questions or answers get lost: see which chain on the hooks `prerouting` and `input` drops them (nft list ruleset)";
    return [
      {
        severity: "error",
        object: `names on network ${key.networkName}`,
        message: `container ${key.containerId} asked ${nameServer} for a name and got no answer; ${reason}`,
      },
    ];
  });
}

/** Asks by a process of its own. None: it cannot be told here. @throws Error of the process */
export async function askNames(asked: readonly DesiredAttachment[]): Promise<readonly UdpOutcome[]> {
  const program = ownExecutable();
  if (asked.length === 0 || program === null) return [];
  const lines = asked.map(({ netns, nameServer }) => ({ netns, server: nameServer }));
  return askChild({ program, args: ["names-probe"], lines, limitMs: LIMIT_MS });
}

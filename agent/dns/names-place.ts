/** Where the process that serves names listens for its agent, and how the two agree on that. */
import { dirname, join } from "node:path";
import type { AgentConfig } from "../base/config.ts";

/** Hidden command of the executable: what the agent starts. */
export const NAMES_COMMAND = "name-server";

/** What the agent tells its process for names, as JSON in the argument after the command. */
export interface NamesOrder {
  /** The agent's own, but for the socket. */
  readonly config: AgentConfig;
  /** Socket of the agent: whoever answers there when this agent is gone is its successor. */
  readonly agentSocket: string;
}

const PREFIX = "names-";
const SUFFIX = ".sock";

/** One for each agent, since the process of the one before may still serve. */
export function namesSocket(agentSocket: string, agentPid: number): string {
  return join(dirname(agentSocket), `${PREFIX}${agentPid}${SUFFIX}`);
}

/** The agent whose process has this socket; null for every other file. */
export function agentOfNamesSocket(name: string): number | null {
  const digits =
    name.startsWith(PREFIX) && name.endsWith(SUFFIX) ? name.slice(PREFIX.length, -SUFFIX.length) : "";
  return /^[1-9]\d{0,9}$/.test(digits) ? Number(digits) : null;
}

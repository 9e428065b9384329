/** Lets this node follow what was changed, so that a network is ready, or gone, when its command returns. */

import { asFairleadError } from "../../lib/errors.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import type { Io } from "../io.ts";
import { connectionsOf } from "../with-service.ts";

/**
 * Waits for the agent. That it does not run or is late is told on stderr: the change itself is made.
 * Returns what the agent has to say against the networks named.
 */
export async function followOnNode(
  io: Io,
  agentSocket: string,
  names: readonly string[],
): Promise<readonly AgentProblem[]> {
  try {
    const { problems } = await (await connectionsOf(io)).agent(agentSocket).sync();
    return problems.filter(({ object }) => names.includes(object));
  } catch (thrown) {
    const error = asFairleadError(thrown, "sync this node", agentSocket);
    const text =
      error.code === "unavailable"
        ? `no agent runs on this node: no conflist is written`
        : "this node has not followed yet";
    await warn(io, `${text} (${error.message})`);
    return [];
  }
}

export function warn(io: Io, text: string): Promise<void> {
  return io.err(`fairlead: warning: ${text}\n`);
}

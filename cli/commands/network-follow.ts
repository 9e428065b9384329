/** Lets this node follow what was changed, so that networks and names are ready, or gone, when their command returns. */

import { asFairleadError } from "../../lib/errors.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import type { Io } from "../base/io.ts";
import { folderOf } from "../base/paths.ts";
import { warningLine } from "../output/error-line.ts";
import { agentOf } from "../service/with-service.ts";

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
    const { problems } = await (await agentOf(io, agentSocket)).sync();
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

/**
 * Waits until the names of this node follow an attachment that was made or taken away. Without an agent nobody serves names, and
 * there is nothing to wait for.
 *
 * @param socket of the service; the agent's is looked for beside it.
 */
export async function followNames(io: Io, socket: string): Promise<void> {
  const agentSocket = `${folderOf(socket)}/agent.sock`;
  try {
    await (await agentOf(io, agentSocket)).sync();
  } catch (thrown) {
    const error = asFairleadError(thrown, "sync this node", agentSocket);
    if (error.code !== "unavailable") await warn(io, `names have not followed yet (${error.message})`);
  }
}

export function warn(io: Io, text: string): Promise<void> {
  return io.err(warningLine(text));
}

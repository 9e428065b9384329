/**
 * Requests whose clients have gone.
 *
 * A server that stood still finds such requests when it goes on: they lie in their connections, behind which nobody is any more. A
 * runtime that gave up an ADD has called DEL since, whose release may have come another way, and before. So whoever could only be
 * granted what nobody knows of is looked for first.
 */
import { setImmediate as nextRound } from "node:timers/promises";
import type { FastifyRequest } from "fastify";
import { FairleadError } from "../../../lib/errors.ts";

/** Of the event loop, until the end of a connection that came together with the request is seen: by Bun in one, by Node in two. */
const ROUNDS = 2;

/**
 * Refuses to go on for a client that closed its connection before now. Clients keep both directions open until they have
 * their answer.
 *
 * @throws FairleadError unavailable, which nobody reads
 */
export async function requireClient(operation: string, request: FastifyRequest): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) await nextRound();
  if (!request.raw.socket.destroyed) return;
  throw new FairleadError({
    code: "unavailable",
    operation,
    reason: "its client has gone before the request was looked at",
    hint: "ask again",
  });
}

/**
 * Server-sent events: `GET /v1/events/stream`.
 *
 * Each event of the log is one message: its revision as `id`, its kind as `event`, its JSON as `data`. A
 * client that comes back with `Last-Event-ID` misses nothing and gets nothing twice; one whose place in the
 * log is gone gets 410 and must list again.
 *
 * Source: HTML Living Standard, "Server-sent events".
 */
import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { FairleadError } from "../../lib/errors.ts";
import type { Event, IpamService } from "../../lib/ipam/api.ts";
import type { Logger } from "../../lib/log.ts";
import { followEvents } from "../event-feed.ts";

/** Below the idle limits of common proxies (30 s and more). */
const HEARTBEAT_MS = 15_000;

export interface EventStreamOptions {
  readonly service: IpamService;
  readonly logger: Logger;
  /** Ends all streams: the server shuts down. */
  readonly signal: AbortSignal;
}

/** The handler of the route. Its query has been checked: `since` is absent or a revision. */
export function eventStreamHandler(options: EventStreamOptions) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { since: wished } = request.query as { since?: number };
    const since = lastEventId(request) ?? wished ?? (await options.service.info()).revision;
    // A place that is gone must be answered before the stream begins.
    await options.service.listEvents({ since, limit: 1 });
    reply.hijack();
    await stream(reply.raw, since, options);
  };
}

function lastEventId(request: FastifyRequest): number | undefined {
  const header = request.headers["last-event-id"];
  if (header === undefined || header === "") return undefined;
  const revision = Number(header);
  if (typeof header === "string" && /^\d+$/.test(header) && Number.isSafeInteger(revision)) return revision;
  throw new FairleadError({
    code: "invalid-config",
    operation: "stream events",
    object: "Last-Event-ID",
    reason: `${JSON.stringify(header).slice(0, 80)} is not a revision`,
    hint: "send the id of the last event that came",
  });
}

async function stream(response: ServerResponse, since: number, options: EventStreamOptions): Promise<void> {
  const gone = new AbortController();
  const signal = AbortSignal.any([gone.signal, options.signal]);
  response.on("close", () => gone.abort());
  response.on("error", () => gone.abort());
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    connection: "close",
  });
  response.write(": events follow\n\n");
  const heartbeat = setInterval(() => response.write(": still here\n\n"), HEARTBEAT_MS);
  try {
    for await (const events of followEvents({ service: options.service, since, signal })) {
      if (!response.write(events.map(formatEvent).join(""))) await drained(response, signal);
    }
  } catch (err) {
    // The head is out: all that is left is to end, and the client comes back to a proper answer.
    options.logger.warn({ err }, "event stream ended");
  } finally {
    clearInterval(heartbeat);
    response.end();
  }
}

/** One message. JSON holds no line break, so one `data` line is enough. */
export function formatEvent(event: Event): string {
  return `id: ${event.revision}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    response.once("drain", done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}

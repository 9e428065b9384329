/**
 * Server-sent events: `GET /v1/events/stream`.
 *
 * Each event of the log is one message: its place in the log (`LOGID:REVISION`) as `id`, its kind as `event`, its JSON
 * as `data`. A client that comes back with `Last-Event-ID` misses nothing and gets nothing twice; one whose place is gone,
 * or of another log, gets 410 and must list again. A bare revision is taken to be of this log.
 *
 * Source: HTML Living Standard, "Server-sent events".
 */
import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { FairleadError } from "../../../lib/errors.ts";
import type { Event, EventPlace, IpamService } from "../../../lib/ipam/api.ts";
import type { Logger } from "../../../lib/log.ts";
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
    const wished = request.query as { since?: number; logId?: string };
    const info = await options.service.info();
    const asked = { revision: wished.since ?? info.revision, logId: wished.logId ?? info.logId };
    const since = { ...asked, ...lastEventId(request) };
    // A place that is gone must be answered before the stream begins.
    await options.service.listEvents({ since: since.revision, logId: since.logId, limit: 1 });
    reply.hijack();
    await stream(reply.raw, since, options);
  };
}

const EVENT_ID = /^(?:(?<logId>[0-9a-f]{32}):)?(?<revision>\d+)$/;

function lastEventId(request: FastifyRequest): EventPlace | undefined {
  const header = request.headers["last-event-id"];
  if (header === undefined || header === "") return undefined;
  const { logId, revision } = EVENT_ID.exec(String(header))?.groups ?? {};
  const number = Number(revision);
  if (Number.isSafeInteger(number)) return { revision: number, ...(logId !== undefined && { logId }) };
  throw new FairleadError({
    code: "invalid-config",
    operation: "stream events",
    object: "Last-Event-ID",
    reason: `${JSON.stringify(header).slice(0, 80)} is not a place in an event log`,
    hint: "send the id of the last event that came",
  });
}

async function stream(
  response: ServerResponse,
  since: Required<EventPlace>,
  options: EventStreamOptions,
): Promise<void> {
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
      const text = events.map((event) => formatEvent(event, since.logId)).join("");
      if (!response.write(text)) await drained(response, signal);
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
function formatEvent(event: Event, logId: string): string {
  return `id: ${logId}:${event.revision}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
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

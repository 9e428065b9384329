/**
 * The agent's socket: HTTP/JSON for the command line of the same machine.
 *
 * 0600 in a directory of 0700: whoever can open it is who may use it. Everything that is read has a limit of size and
 * time. Errors are `{"error": ErrorJson}`, as on the service's socket.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { bindPrivately } from "../../lib/daemon/unix-socket.ts";
import { asFairleadError, errorToJson, FairleadError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { AGENT_PATHS, type AgentStatus, type SyncAnswer, type SyncRequest } from "../../lib/rpc/agent-api.ts";

const BODY_LIMIT_BYTES = 64 * 1024;
const HEAD_LIMIT_BYTES = 8 * 1024;
/** A whole request must have come in by then. */
const REQUEST_TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 256;
/** How often a server that ends drops connections that have become idle. */
const IDLE_SWEEP_MS = 20;

/** What the socket answers from. */
export interface AgentCalls {
  status(): Promise<AgentStatus>;
  sync(request: SyncRequest): Promise<SyncAnswer>;
  metrics(): Promise<TextAnswer>;
}

/** An answer that is no JSON. */
export class TextAnswer {
  readonly contentType: string;
  readonly text: string;

  constructor(contentType: string, text: string) {
    this.contentType = contentType;
    this.text = text;
  }
}

type Handler = (body: unknown, calls: AgentCalls) => Promise<unknown>;

const ROUTES: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  [AGENT_PATHS.status]: { GET: (_body, calls) => calls.status() },
  [AGENT_PATHS.sync]: { POST: (body, calls) => calls.sync(syncRequest(body)) },
  [AGENT_PATHS.metrics]: { GET: (_body, calls) => calls.metrics() },
};

/**
 * Listens at `path`. Returns what ends it: requests under way are finished.
 * @throws already-exists, unavailable
 */
export async function listen(path: string, calls: AgentCalls, logger: Logger): Promise<() => Promise<void>> {
  const server = createServer(
    {
      maxHeaderSize: HEAD_LIMIT_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
    },
    (request, response) => void serve(request, response, { calls, logger }),
  );
  server.maxConnections = MAX_CONNECTIONS;
  await bindPrivately(path, () => bind(server, path));
  return () => close(server);
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function close(server: Server): Promise<void> {
  const timer = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
  try {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
  } finally {
    clearInterval(timer);
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { calls, logger }: { readonly calls: AgentCalls; readonly logger: Logger },
): Promise<void> {
  response.on("error", () => {});
  try {
    const handler = handlerOf(request);
    const body = await readBody(request);
    answer(response, 200, await handler(body, calls));
  } catch (thrown) {
    const error = asFairleadError(thrown, `serve ${request.method}`, request.url ?? "");
    if (error.code === "internal") logger.error({ err: thrown, url: request.url }, "agent: request failed");
    // What was not read of a request would be taken for the next one.
    if (!request.complete) response.setHeader("connection", "close");
    answer(response, error.row.http, { error: errorToJson(error) });
  }
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  const isText = value instanceof TextAnswer;
  const body = isText ? value.text : JSON.stringify(value);
  response.writeHead(status, {
    "content-type": isText ? value.contentType : "application/json",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

function handlerOf({ method = "", url = "" }: IncomingMessage): Handler {
  const route = Object.hasOwn(ROUTES, url) ? ROUTES[url] : undefined;
  const handler = route && Object.hasOwn(route, method) ? route[method] : undefined;
  if (handler) return handler;
  throw new FairleadError({
    code: "not-found",
    operation: `serve ${method}`,
    object: url.slice(0, 200),
    reason: "there is nothing at this path",
    hint: `GET ${AGENT_PATHS.status}, GET ${AGENT_PATHS.metrics}, POST ${AGENT_PATHS.sync}`,
  });
}

/** The JSON of the body; undefined where there is none. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT_BYTES) throw badBody(`it has more than ${BODY_LIMIT_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (cause) {
    throw badBody(`it is not JSON: ${(cause as Error).message}`);
  }
}

function badBody(reason: string): FairleadError {
  return new FairleadError({
    code: "decode-failure",
    operation: "read body",
    reason,
    hint: "send a JSON object",
  });
}

function syncRequest(body: unknown): SyncRequest {
  if (body === undefined) return {};
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw badBody("it is not an object");
  const { revision, logId, ...others } = body as Record<string, unknown>;
  const [other] = Object.keys(others);
  if (other !== undefined) throw badBody(`it has an unknown key ${JSON.stringify(other.slice(0, 80))}`);
  if (logId !== undefined && typeof logId !== "string") throw badBody("logId is not a string");
  if (revision === undefined) return {};
  if (typeof revision !== "number" || !Number.isSafeInteger(revision) || revision < 0)
    throw badBody("revision is not a whole number");
  return logId === undefined ? { revision } : { revision, logId };
}

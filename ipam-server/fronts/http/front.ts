/**
 * The HTTP/JSON front of the service: the same on the unix socket and on loopback TCP.
 *
 * Whoever can open the unix socket is who may use it: it is 0600 in a directory of 0700, from the moment it
 * is bound. (Neither Node nor Bun tells who is at the other end: they do not give out SO_PEERCRED.) On TCP
 * every request but the one for /healthz must carry the server's token.
 */
import type { Server } from "node:http";
import swagger from "@fastify/swagger";
import fastify, { type FastifyInstance, type FastifyReply, type FastifySchema, LogController } from "fastify";
import { asFairleadError } from "../../../lib/errors.ts";
import type { Caller, IpamService } from "../../../lib/ipam/api.ts";
import {
  OPERATION_ROWS,
  type OperationName,
  type OperationRow,
  pathFields,
  WATCH_EVENTS,
} from "../../../lib/ipam/operations.ts";
import type { Logger } from "../../../lib/log.ts";
import { callInPieces, callOperation } from "../call.ts";
import type { Metrics, RequestOutcome } from "../metrics.ts";
import { pickFields, ref, type Schema } from "../schema/kit.ts";
import { SCHEMAS, type Validators, validationError } from "../schema/validation.ts";
import { type ConnectionLimits, connectionLimits, peerOf, TcpConnections } from "../tcp-connections.ts";
import { type Token, unauthenticatedError } from "../token.ts";
import { addErrorHandlers, answerMalformed, answerUnroutable } from "./errors.ts";
import { eventStreamHandler } from "./event-stream.ts";
import { requireClient } from "./gone-client.ts";
import { addJsonParser, limitBodyTime } from "./json-body.ts";
import { answerList, cut } from "./list-stream.ts";
import { errorResponses, jsonResponse, openApiOptions } from "./openapi.ts";

const BODY_LIMIT_BYTES = 1024 * 1024;
/** A whole request must have come in by then. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Silence between two requests, for whoever has the token; others have less (tcp-connections.ts). */
const KEEP_ALIVE_MS = 60_000;
/** How often a front that ends drops connections that have become idle. */
const IDLE_SWEEP_MS = 20;
/** Twice 255 characters of four bytes, percent-encoded. */
const MAX_SEGMENT_CHARACTERS = 3072;

export interface HttpFrontOptions {
  readonly service: IpamService;
  readonly validators: Validators;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** On whose behalf every call of this front is made. */
  readonly caller: Caller;
  /** Why the service cannot serve writes now; empty when it can. */
  readonly unreadyReasons: () => Promise<readonly string[]>;
  /** Demanded of every request; null where the file system guards the socket. */
  readonly token: Token | null;
  /** Default: by the descriptors that the process may have. Of fronts that demand the token. */
  readonly limits?: ConnectionLimits;
  readonly version: string;
}

export interface HttpFront {
  /** Serves once it listens. Not listening yet. */
  readonly server: Server;
  readonly app: FastifyInstance;
  /** Stops accepting, ends event streams, lets requests under way finish. Idempotent. */
  close(): Promise<void>;
}

export async function createHttpFront(options: HttpFrontOptions): Promise<HttpFront> {
  const closing = new AbortController();
  const app = newApp(options);
  addErrorHandlers(app, options.logger);
  addJsonParser(app);
  if (options.token) guard(app, options.token, new TcpConnections(options.limits ?? connectionLimits()));
  limitBodyTime(app);
  await app.register(swagger, openApiOptions(options.version));
  addOperations(app, options);
  addServiceRoutes(app, options, closing.signal);
  // Who is answered now must not count on the connection for the next request.
  // biome-ignore lint/complexity/useMaxParams: Fastify hands over these.
  app.addHook("onSend", (_request, reply, _payload, done) => {
    if (closing.signal.aborted) reply.header("connection", "close");
    done();
  });
  await app.ready();
  return { app, server: app.server, close: () => closeFront(app, closing) };
}

async function closeFront(app: FastifyInstance, closing: AbortController): Promise<void> {
  closing.abort();
  // Connections become idle one by one, and would be kept open for a next request.
  const timer = setInterval(() => app.server.closeIdleConnections(), IDLE_SWEEP_MS);
  try {
    await app.close();
  } finally {
    clearInterval(timer);
  }
}

function newApp({ validators }: HttpFrontOptions): FastifyInstance {
  const app = fastify({
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: { headersTimeout: REQUEST_TIMEOUT_MS },
    routerOptions: { maxParamLength: MAX_SEGMENT_CHARACTERS },
    // Requests that came in on open connections while the server ends are served, then the connection closes.
    return503OnClosing: false,
    clientErrorHandler: answerMalformed,
    frameworkErrors: answerUnroutable,
    schemaErrorFormatter: (errors, part) =>
      validationError("read", PART_NAMES[part] ?? part, errors as Parameters<typeof validationError>[2]),
  });
  for (const [name, schema] of Object.entries(SCHEMAS)) app.addSchema({ $id: name, ...schema });
  app.setValidatorCompiler<object>(({ schema, httpPart }) =>
    validators.compile(schema, httpPart === "querystring"),
  );
  // Answers are the service's own values: the engine's JSON writer is as fast as a compiled one, needs no
  // compiling at every start, and leaves nothing out.
  app.setSerializerCompiler(() => JSON.stringify);
  return app;
}

const PART_NAMES: Readonly<Record<string, string>> = { querystring: "query", params: "path" };

/** Nothing but /healthz, which says no more than that the process is alive, is served without the token. */
function guard(app: FastifyInstance, token: Token, connections: TcpConnections): void {
  connections.watch(app.server);
  app.addHook("onRequest", async (request) => {
    if (token.accepts(request.headers.authorization)) return connections.know(peerOf(request.raw.socket));
    if (request.routeOptions.url === "/healthz") return;
    throw unauthenticatedError(`serve ${request.method}`, request.url.slice(0, 200));
  });
}

function addOperations(app: FastifyInstance, options: HttpFrontOptions): void {
  const outcomes = new Map<string, RequestOutcome>();
  for (const [name, row] of OPERATION_ROWS) {
    addOperation(app, { name, row }, options);
    outcomes.set(name, options.metrics.requestOutcome("http", name));
  }
  const other = options.metrics.requestOutcome("http", "other");
  app.addHook("onResponse", async (request, reply) => {
    const { operationId } = (request.routeOptions.schema ?? {}) as { operationId?: string };
    const { statusCode, elapsedTime } = reply;
    (outcomes.get(operationId ?? "") ?? other)(String(statusCode), elapsedTime / 1000);
    options.logger.debug(
      { method: request.method, url: request.url, status: statusCode, ms: elapsedTime },
      "request",
    );
  });
}

function addOperation(app: FastifyInstance, { name, row }: Route, options: HttpFrontOptions): void {
  const { method, path, title, list, answer, status = 200, bodyLimitBytes, endsWithClient } = row;
  const { service, caller } = options;
  app.route({
    method,
    url: path,
    schema: routeSchema({ name, row }),
    ...(bodyLimitBytes && { bodyLimit: bodyLimitBytes }),
    async handler(asked, reply) {
      // The route's schema has checked them: together they are what the operation takes.
      const call = { name, caller, request: Object.assign({}, asked.params, asked.query, asked.body) };
      if (list !== undefined) return sendList(reply.code(status), list, cut(callInPieces(service, call)));
      if (endsWithClient) await requireClient(title, asked);
      const value = await callOperation(service, call);
      return answer === null ? reply.code(204).send() : reply.code(status).send(value);
    },
  });
}

interface Route {
  readonly name: OperationName;
  readonly row: OperationRow;
}

async function sendList(
  reply: FastifyReply,
  field: string,
  pieces: AsyncIterable<readonly unknown[]>,
): Promise<FastifyReply> {
  const answer = await answerList(field, pieces);
  return "whole" in answer ? reply.send(answer.whole) : reply.type("application/json").send(answer.stream);
}

/** The parts of the operation's request schema, laid out as lib/ipam/operations.ts says. */
function routeSchema({ name, row }: Route): FastifySchema & Record<string, unknown> {
  const { tag, summary, answer, status = 200, errors, role } = row;
  const success: Record<string, Schema> =
    answer === null
      ? { "204": { type: "null", description: "Done" } }
      : { [status]: jsonResponse("Done", ref(answer)) };
  return {
    operationId: name,
    tags: [tag],
    summary,
    ...(role === "operator" && { description: "For operators; a node is refused (permission-denied)." }),
    ...requestParts(row),
    response: {
      ...success,
      ...errorResponses(role === "operator" ? [...errors, "permission-denied"] : errors),
    },
  };
}

function requestParts({ request, method, path }: OperationRow): Record<string, Schema> {
  const whole = request && SCHEMAS[request];
  if (!request || !whole) return {};
  const inPath = pathFields(path);
  const params = pickFields(whole, (field) => inPath.includes(field));
  const rest = pickFields(whole, (field) => !inPath.includes(field));
  const place = method === "POST" ? "body" : "querystring";
  const named = rest === whole && place === "body" ? ref(request) : rest;
  return { ...(params && { params }), ...(named && { [place]: named }) };
}

/** What is not an operation of the service: the event stream, and what machines ask about the server. */
function addServiceRoutes(app: FastifyInstance, options: HttpFrontOptions, signal: AbortSignal): void {
  const { service, logger, metrics } = options;
  const watch = SCHEMAS["WatchRequest"] as Schema;
  const stream = {
    operationId: "watchEvents",
    tags: ["history"],
    summary: "Events as they happen (server-sent events); resume with Last-Event-ID",
    querystring: watch,
    response: {
      "200": {
        description: "One message per event",
        content: { "text/event-stream": { schema: { type: "string" } } },
      },
      ...errorResponses(["compacted"]),
    },
  };
  app.get(WATCH_EVENTS.path, { schema: stream }, eventStreamHandler({ service, logger, signal }));
  app.get("/v1/openapi.json", { schema: about("openapi", "This document") }, async () => app.swagger());
  app.get("/healthz", { schema: about("health", "The process is alive") }, async () => ({ status: "ok" }));
  app.get("/readyz", { schema: about("readiness", "The service can serve writes") }, async (_, reply) => {
    const reasons = await unreadyReasons(options);
    return reply
      .code(reasons.length > 0 ? 503 : 200)
      .send({ status: reasons.length > 0 ? "unready" : "ok", reasons });
  });
  app.get("/metrics", { schema: about("metrics", "Metrics, Prometheus text format") }, async (_, reply) =>
    reply.type(metrics.contentType).send(await metrics.render()),
  );
}

function about(operationId: string, summary: string): FastifySchema & Record<string, unknown> {
  return { operationId, tags: ["service"], summary };
}

/** A service that fails to answer is not ready either. */
async function unreadyReasons({
  service,
  unreadyReasons: ask,
}: HttpFrontOptions): Promise<readonly string[]> {
  try {
    await service.info();
    return await ask();
  } catch (thrown) {
    return [asFairleadError(thrown, "ask the service").message];
  }
}

/**
 * Every answer that is not a success: `{"error": ErrorJson}`.
 *
 * The status is that of the error table, except where HTTP itself has a word for what happened before any
 * operation was reached: 405, 413, 414, 415, 431.
 */
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type ErrorCode, errorToJson, FairleadError } from "../../../lib/errors.ts";
import { OPERATIONS, WATCH_EVENTS } from "../../../lib/ipam/operations.ts";
import type { Logger } from "../../../lib/log.ts";
import { FAULT_REASON } from "../faults.ts";

interface Refusal {
  readonly code: ErrorCode;
  readonly status?: number;
  readonly reason: string;
  readonly hint: string;
}

/** What the server's own refusals become. Source: fastify, "Errors". */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: "decode-failure",
    status: 415,
    reason: "the body is not declared as JSON",
    hint: "send Content-Type: application/json",
  },
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: "decode-failure",
    status: 413,
    reason: "the body is too large",
    hint: "send less at once",
  },
  FST_ERR_CTP_EMPTY_JSON_BODY: {
    code: "decode-failure",
    reason: "the body is empty",
    hint: "send a JSON object",
  },
  FST_ERR_CTP_INVALID_JSON_BODY: {
    code: "decode-failure",
    reason: "the body is not JSON",
    hint: "send a JSON object",
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: "decode-failure",
    reason: "the body has not the length that was announced",
    hint: "repeat the request",
  },
  FST_ERR_BAD_URL: { code: "decode-failure", reason: "the path is not a URL", hint: "percent-encode it" },
  FST_ERR_MAX_PARAM_LENGTH: {
    code: "decode-failure",
    status: 414,
    reason: "a part of the path is too long",
    hint: "names have at most 255 characters",
  },
};

/** Installs the handlers of thrown errors and of unknown routes. */
export function addErrorHandlers(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((thrown, request, reply) => {
    const { error, status } = toFairleadError(thrown, request);
    if (error.code === "internal") logger.error({ err: thrown, url: request.url }, "request failed");
    return sendError(reply, error, status);
  });
  app.setNotFoundHandler((request, reply) => {
    const methods = methodsOf(request.url);
    if (methods.length > 0) reply.header("allow", methods.join(", "));
    const { error, status } = methods.length > 0 ? wrongMethod(request, methods) : unknownRoute(request);
    return sendError(reply, error, status);
  });
}

function sendError(reply: FastifyReply, error: FairleadError, status = error.row.http): FastifyReply {
  if (status === 401) reply.header("www-authenticate", "Bearer");
  // As text: the schemas of the routes are for what routes answer.
  return reply
    .code(status)
    .type("application/json")
    .send(JSON.stringify({ error: errorToJson(error) }));
}

/** Answers a request whose path could not even be looked up. */
export function answerUnroutable(thrown: Error, request: FastifyRequest, reply: FastifyReply): void {
  const { error, status } = toFairleadError(thrown, request);
  sendError(reply, error, status);
}

/** Answers bytes that are not HTTP, where no request exists yet, and closes the connection. */
export function answerMalformed(thrown: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable) return;
  const large = thrown.code === "HPE_HEADER_OVERFLOW";
  const error = new FairleadError({
    code: "decode-failure",
    operation: "read request",
    reason: large ? "its head is too large" : "it is not an HTTP/1.1 request",
    hint: large ? "send fewer and shorter header fields" : "speak HTTP/1.1",
  });
  const body = JSON.stringify({ error: errorToJson(error) });
  const status = large ? "431 Request Header Fields Too Large" : "400 Bad Request";
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nConnection: close\r\n`;
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

interface Refused {
  readonly error: FairleadError;
  readonly status?: number;
}

function toFairleadError(thrown: unknown, request: FastifyRequest): Refused {
  if (thrown instanceof FairleadError) return { error: thrown };
  const { code, statusCode, message } = thrown as { code?: string; statusCode?: number; message?: string };
  const operation = `serve ${request.method}`;
  const object = request.url.slice(0, 200);
  const refusal = code === undefined ? undefined : REFUSALS[code];
  if (refusal) {
    const { status, ...parts } = refusal;
    return { error: new FairleadError({ ...parts, operation, object }), ...(status && { status }) };
  }
  const clients = statusCode !== undefined && statusCode >= 400 && statusCode < 500;
  const reason = clients ? String(message) : FAULT_REASON;
  return {
    error: new FairleadError({ code: clients ? "decode-failure" : "internal", operation, object, reason }),
  };
}

const PATTERNS = [...Object.values(OPERATIONS), WATCH_EVENTS].map(({ method, path }) => ({
  method,
  pattern: new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}$`),
}));

/** Methods with which `url` would be a route. */
function methodsOf(url: string): string[] {
  const [path = ""] = url.split("?");
  return [...new Set(PATTERNS.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))];
}

function wrongMethod(request: FastifyRequest, methods: readonly string[]): Refused {
  const error = new FairleadError({
    code: "invalid-config",
    operation: `serve ${request.method}`,
    object: request.url.slice(0, 200),
    reason: `this path has no ${request.method}`,
    hint: `use ${methods.join(" or ")}`,
  });
  return { error, status: 405 };
}

function unknownRoute(request: FastifyRequest): Refused {
  const error = new FairleadError({
    code: "not-found",
    operation: `serve ${request.method}`,
    object: request.url.slice(0, 200),
    reason: "there is nothing at this path",
    hint: "GET /v1/openapi.json lists every path",
  });
  return { error };
}

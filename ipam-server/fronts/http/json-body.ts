/** Reads JSON bodies under limits: size (by the server), depth, time, and no keys that poison prototypes. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { FairleadError } from "../../../lib/errors.ts";

/** The deepest request has seven levels; anything far beyond is an attack on whoever walks it. */
const MAX_JSON_DEPTH = 32;

type Done = (error: Error | null, body?: unknown) => void;

/** Accepts `application/json` and nothing else. */
export function addJsonParser(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done: Done) => {
    const text = String(body);
    // Clients that always send a type also send one with a GET or DELETE that has no body.
    if (text === "" && request.method !== "POST") return done(null, undefined);
    if (exceedsDepth(text, MAX_JSON_DEPTH)) return done(tooDeep(request));
    parse(request, text, done);
  });
}

function tooDeep(request: FastifyRequest): FairleadError {
  return new FairleadError({
    code: "decode-failure",
    operation: "read request body of",
    object: request.url,
    reason: `it is nested more than ${MAX_JSON_DEPTH} levels deep`,
    hint: "GET /v1/openapi.json describes every request",
  });
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/** True when brackets in `text`, outside of strings, are nested deeper than `limit`. Reads it once, allocates nothing. */
export function exceedsDepth(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (inString) {
      if (unit === BACKSLASH) at++;
      else if (unit === QUOTE) inString = false;
    } else if (unit === QUOTE) inString = true;
    else if (OPEN.has(unit)) {
      if (++depth > limit) return true;
    } else if (CLOSE.has(unit)) depth--;
  }
  return false;
}

/** A body must have come in by then. The server's own limit ends with the head of a request on some runtimes. */
const BODY_TIMEOUT_MS = 10_000;

/** Cuts off whoever announces a body and does not send it. */
export function limitBodyTime(app: FastifyInstance): void {
  const timers = new WeakMap<FastifyRequest, NodeJS.Timeout>();
  const stop = (request: FastifyRequest): void => clearTimeout(timers.get(request));
  // biome-ignore lint/complexity/useMaxParams: Fastify hands over these.
  app.addHook("preParsing", (request, _reply, _payload, done) => {
    if (request.method === "POST") {
      timers.set(
        request,
        setTimeout(() => request.raw.socket.destroy(), BODY_TIMEOUT_MS),
      );
    }
    done();
  });
  app.addHook("preValidation", (request, _reply, done) => {
    stop(request);
    done();
  });
  // A body that could not be read never gets to the validation.
  // biome-ignore lint/complexity/useMaxParams: Fastify hands over these.
  app.addHook("onError", (request, _reply, _error, done) => {
    stop(request);
    done();
  });
}

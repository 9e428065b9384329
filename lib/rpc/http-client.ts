/** The IPAM service over HTTP/JSON, on its unix socket or on TCP: the same values and errors as in process. */

import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { errorFromJson, FairleadError } from "../errors.ts";
import type { Event, EventPlace, IpamService } from "../ipam/api.ts";
import {
  answerFrom,
  layOutRequest,
  OPERATIONS,
  type Operation,
  type OperationName,
  type OperationRow,
  type RequestParts,
  WATCH_EVENTS,
} from "../ipam/operations.ts";
import { parseJsonAnswer } from "../json-answer.ts";
import { clientMethods } from "./client-methods.ts";
import { ListReader } from "./list-reader.ts";
import { createSseParser } from "./sse.ts";
import { TimeLimit } from "./time-limit.ts";
import { watchEvents } from "./watch.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
/** As many as share one commit of the server; more would only queue there. */
const MAX_CONNECTIONS = 128;

export interface HttpClientOptions {
  /** Path of the unix socket, or where the server listens on TCP. */
  readonly endpoint: { readonly socket: string } | { readonly host: string; readonly port: number };
  /** Token of the server; the unix socket needs none. */
  readonly token?: string;
  /** For each call but a watch, and for each piece of a list. Default: 30,000. */
  readonly timeoutMs?: number;
  /** Told when a watch cannot go on: its place in the log is gone, or the server refuses it. */
  readonly onWatchEnd?: (error: FairleadError) => void;
  /** Whom to tell of a call that is not answered after so many milliseconds. Default: nobody. */
  readonly slow?: { readonly ms: number; readonly tell: (name: OperationName) => void };
}

/** The service and the end of its connections. The `caller` of each call is what the server says it is. */
export type HttpIpamClient = IpamService & { close(): void };

class Connection {
  readonly #options: HttpClientOptions;
  /** Keeps connections: a new one costs more than a call. Calls beyond the limit wait for one. */
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  readonly target: string;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    const { endpoint } = options;
    this.target = "socket" in endpoint ? endpoint.socket : `${endpoint.host}:${endpoint.port}`;
  }

  /** Sends one request and returns the JSON of its answer; undefined where there is none. */
  async call(name: OperationName, request?: object): Promise<unknown> {
    const parts = layOutRequest(OPERATIONS[name], request);
    try {
      return await this.#exchange(parts, name);
    } catch (thrown) {
      if (!(thrown instanceof StaleConnection)) throw this.#explain(thrown, OPERATIONS[name]);
    }
    try {
      return await this.#exchange(parts, name);
    } catch (thrown) {
      throw this.#explain(thrown, OPERATIONS[name]);
    }
  }

  /** @throws StaleConnection when a kept connection turned out to be closed: every call may be repeated. */
  async #exchange(parts: RequestParts, name: OperationName): Promise<unknown> {
    const sent = this.#send(parts, {});
    const limit = this.#limitOf(sent);
    try {
      return await limit.on(this.#receive(sent, name));
    } catch (thrown) {
      if (limit.isExpired) throw this.#timeoutError(name, limit.limitMs);
      const { code } = thrown as { code?: string };
      throw (code === "ECONNRESET" || code === "EPIPE") && sent.reusedSocket
        ? new StaleConnection("closed", { cause: thrown })
        : thrown;
    }
  }

  async #receive(sent: ClientRequest, name: OperationName): Promise<unknown> {
    const response = await this.#answerTo(sent, name);
    const body = await readText(response);
    if (isSuccess(response)) return body === "" ? undefined : parseJsonAnswer(body, this.target);
    throw errorOf(body, this.target);
  }

  #limitOf(sent: ClientRequest): TimeLimit {
    return new TimeLimit(this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS, () => sent.destroy());
  }

  /**
   * The items of a list, in pieces, as they come. On a connection of its own: whoever stops early ends it, and nobody else waits
   * for what is still to come.
   */
  async *list(name: OperationName, request?: object): AsyncGenerator<readonly unknown[]> {
    const { list: field = "" }: OperationRow = OPERATIONS[name];
    const sent = this.#send(layOutRequest(OPERATIONS[name], request), { connection: "close" }, false);
    const limit = this.#limitOf(sent);
    try {
      const response = await limit.on(this.#answerTo(sent, name));
      if (!isSuccess(response)) throw errorOf(await limit.on(readText(response)), this.target);
      yield* this.#items(response, new ListReader(field, this.target), limit);
    } catch (thrown) {
      throw limit.isExpired
        ? this.#timeoutError(name, limit.limitMs)
        : this.#explain(thrown, OPERATIONS[name]);
    } finally {
      sent.destroy();
    }
  }

  /** Waits for each chunk within the limit; how long a piece is looked at is the caller's affair. */
  async *#items(
    response: IncomingMessage,
    reader: ListReader,
    limit: TimeLimit,
  ): AsyncGenerator<readonly unknown[]> {
    response.setEncoding("utf8");
    for await (const chunk of limit.each(response as AsyncIterable<string>)) {
      const items = reader.push(chunk);
      if (items.length > 0) yield items;
    }
    const rest = reader.end();
    if (rest.length > 0) yield rest;
  }

  /** Reads one event stream to its end. */
  async stream(since: EventPlace, onEvent: (event: Event) => void, signal: AbortSignal): Promise<void> {
    const parts = layOutRequest(WATCH_EVENTS);
    const { logId, revision } = since;
    const place = logId === undefined ? String(revision) : `${logId}:${revision}`;
    const sent = this.#send(parts, { accept: "text/event-stream", "last-event-id": place });
    signal.addEventListener("abort", () => sent.destroy(), { once: true });
    try {
      const response = await responseOf(sent);
      if (!isSuccess(response)) throw errorOf(await readText(response), this.target);
      const parse = createSseParser((data) => onEvent(parseJsonAnswer(data, this.target) as Event));
      response.setEncoding("utf8");
      for await (const chunk of response) parse(chunk as string);
    } catch (thrown) {
      throw this.#explain(thrown, WATCH_EVENTS);
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #answerTo(sent: ClientRequest, name: OperationName): Promise<IncomingMessage> {
    const { slow } = this.#options;
    const timer = slow && setTimeout(() => slow.tell(name), slow.ms);
    try {
      return await responseOf(sent);
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param agent false: a connection of its own. */
  #send(
    parts: RequestParts,
    extra: Record<string, string>,
    agent: Agent | false = this.#agent,
  ): ClientRequest {
    const { endpoint, token } = this.#options;
    const headers: Record<string, string | number> = { host: "fairlead", ...extra };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    if (parts.body !== undefined) {
      headers["content-type"] = "application/json";
      headers["content-length"] = Buffer.byteLength(parts.body);
    }
    const where = "socket" in endpoint ? { socketPath: endpoint.socket } : endpoint;
    const sent = httpRequest({
      ...where,
      agent,
      method: parts.method,
      path: parts.target,
      headers,
    });
    sent.end(parts.body);
    return sent;
  }

  #timeoutError(name: OperationName, limitMs: number): FairleadError {
    return new FairleadError({
      code: "timeout",
      operation: OPERATIONS[name].title,
      object: this.target,
      reason: `no answer within ${limitMs} ms; whether it took effect is unknown`,
      hint: "repeat it: every call is safe to repeat",
    });
  }

  #explain(thrown: unknown, { title }: Operation): FairleadError {
    if (thrown instanceof FairleadError) return thrown;
    const { code, message } = ((thrown as Error).cause ?? thrown) as { code?: string; message?: string };
    const denied = code === "EACCES" || code === "EPERM";
    return new FairleadError({
      code: denied ? "permission-denied" : "unavailable",
      operation: title,
      object: this.target,
      reason: REASONS[code ?? ""] ?? String(message ?? thrown),
      hint: denied
        ? "run as the user of the server (root)"
        : "start it with `fairlead server` or `fairlead dev`",
      cause: thrown,
    });
  }
}

class StaleConnection extends Error {}

function responseOf(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once("response", resolve);
    // Stays: an error after the response also ends the body, which is where it is reported.
    sent.on("error", reject);
    sent.on("close", () =>
      reject(Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" })),
    );
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no socket: the service does not run",
  ECONNREFUSED: "nobody listens: the service does not run",
  FailedToOpenSocket: "nobody listens: the service does not run",
  ECONNRESET: "the service closed the connection without an answer",
  EACCES: "the socket is not open to this user",
  EPERM: "the socket is not open to this user",
};

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding("utf8");
  let text = "";
  for await (const chunk of response) text += chunk as string;
  return text;
}

function errorOf(body: string, target: string): FairleadError {
  return errorFromJson((parseJsonAnswer(body, target) as { error?: unknown } | null)?.error);
}

/** Makes a client. Connects when it is used; `close` ends what connections it keeps. */
export function createHttpClient(options: HttpClientOptions): HttpIpamClient {
  const connection = new Connection(options);
  return {
    ...clientMethods({
      ask: async (name, request) => answerFrom(name, await connection.call(name, request)),
      pieces: (name, request) => connection.list(name, request),
    }),
    watchEvents: (since, onEvent) =>
      watchEvents({
        since,
        onEvent,
        onEnd: options.onWatchEnd ?? (() => {}),
        open: (from, take, signal) => connection.stream(from, take, signal),
      }),
    close: () => connection.close(),
  };
}

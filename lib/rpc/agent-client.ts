/** Asks the agent of this machine, over its socket. */

import { request as httpRequest } from "node:http";
import { errorFromJson, FairleadError } from "../errors.ts";
import { parseJsonAnswer } from "../json-answer.ts";
import {
  AGENT_PATHS,
  type AgentStatus,
  SYNC_LIMIT_MS,
  type SyncAnswer,
  type SyncRequest,
} from "./agent-api.ts";

/** The agent answers a sync within its own limit; this is only for one that does not answer at all. */
const DEFAULT_TIMEOUT_MS = SYNC_LIMIT_MS + 2_000;
const ANSWER_LIMIT_CHARACTERS = 4 * 1024 * 1024;

export interface AgentClient {
  status(): Promise<AgentStatus>;
  /** Resolves when everything up to the revision is in effect on this node. @throws timeout, unavailable */
  sync(request?: SyncRequest): Promise<SyncAnswer>;
}

export interface AgentClientOptions {
  readonly socket: string;
  readonly timeoutMs?: number;
}

/** Makes a client; it connects anew for each call. @throws unavailable (from its calls) when no agent runs. */
export function createAgentClient(options: AgentClientOptions): AgentClient {
  return {
    status: () => call<AgentStatus>(options, { method: "GET", path: AGENT_PATHS.status }),
    sync: (request = {}) =>
      call<SyncAnswer>(options, { method: "POST", path: AGENT_PATHS.sync, body: request }),
  };
}

interface AgentCall {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
}

async function call<T>(options: AgentClientOptions, { method, path, body }: AgentCall): Promise<T> {
  const { status, text } = await exchange(options, { method, path, ...(body && { body }) });
  const value = parseJsonAnswer(text, options.socket);
  if (status >= 200 && status < 300) return value as T;
  throw errorFromJson((value as { error?: unknown } | null)?.error);
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function exchange(
  { socket, timeoutMs = DEFAULT_TIMEOUT_MS }: AgentClientOptions,
  call: AgentCall,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(explain(cause, socket));
    const text = call.body === undefined ? undefined : JSON.stringify(call.body);
    const sent = httpRequest(
      {
        socketPath: socket,
        method: call.method,
        path: call.path,
        headers: {
          host: "fairlead-agent",
          connection: "close",
          ...(text !== undefined && {
            "content-type": "application/json",
            "content-length": Buffer.byteLength(text),
          }),
        },
      },
      async (response) => {
        try {
          response.setEncoding("utf8");
          let answer = "";
          for await (const chunk of response) {
            answer += chunk as string;
            if (answer.length > ANSWER_LIMIT_CHARACTERS) throw new Error("its answer is too long");
          }
          resolve({ status: response.statusCode ?? 0, text: answer });
        } catch (thrown) {
          fail(thrown);
        }
      },
    );
    const timer = setTimeout(() => {
      reject(noAnswer(socket, timeoutMs));
      sent.destroy();
    }, timeoutMs);
    sent.on("close", () => clearTimeout(timer));
    sent.on("error", fail);
    sent.end(text);
  });
}

const ABSENT = new Set(["ENOENT", "ECONNREFUSED", "FailedToOpenSocket"]);

function explain(cause: unknown, socket: string): FairleadError {
  if (cause instanceof FairleadError) return cause;
  const { code = "", message = String(cause) } = cause as { code?: string; message?: string };
  const denied = code === "EACCES" || code === "EPERM";
  return new FairleadError({
    code: denied ? "permission-denied" : "unavailable",
    operation: "ask the agent at",
    object: socket,
    reason: ABSENT.has(code) ? "nobody listens: no agent runs" : message,
    hint: denied ? "run as the user of the agent (root)" : "start it with `fairlead agent` or `fairlead dev`",
    cause,
  });
}

function noAnswer(socket: string, timeoutMs: number): FairleadError {
  return new FairleadError({
    code: "timeout",
    operation: "ask the agent at",
    object: socket,
    reason: `no answer within ${timeoutMs} ms`,
    hint: "see the log of the agent",
  });
}

/**
 * Service and agent over their unix sockets by plain system calls, one connection a call, blocking.
 *
 * Most commands ask one question and end. Loading an HTTP client would take longer than the question.
 */

import { errorFromJson, FairleadError } from "../lib/errors.ts";
import { encodeTextRequest, isCompleteResponse, parseResponse } from "../lib/ipam/http-message.ts";
import { parseJsonAnswer } from "../lib/json-answer.ts";
import { beginExchange } from "../lib/linux/stream-socket.ts";
import { AGENT_PATHS, SYNC_LIMIT_MS, type SyncAnswer } from "../lib/rpc/agent-api.ts";
import { layOutRequest, OPERATIONS, type OperationName, type RequestParts } from "../lib/rpc/operations.ts";
import type { CliService, Connections } from "./service.ts";

const SERVICE_LIMIT_MS = 30_000;
/** The agent ends a wait by itself; this is for one that is stuck. */
const AGENT_LIMIT_MS = SYNC_LIMIT_MS + 5_000;

/** After this time people are told what they wait for. */
const SLOW_MS = 1_000;

/** @param onSlow told once what is waited for when an answer takes longer than a second. */
export function directConnections(onSlow: (what: string) => void): Connections {
  return {
    service: (socket) => ({ service: directService(socket, onSlow), close: () => {} }),
    agent: (socket) => ({ sync: async () => sync(socket, onSlow) }),
  };
}

type OnSlow = (what: string) => void;

function directService(socket: string, onSlow: OnSlow): CliService {
  /** The server answers in the shapes of the API: that is its contract. */
  const call = async <T>(name: OperationName, request?: object): Promise<T> =>
    askService({ socket, onSlow }, name, request) as T;
  const list = async <T>(name: OperationName, field: string, request?: object): Promise<readonly T[]> =>
    (await call<Record<string, readonly T[]>>(name, request))[field] ?? [];
  return {
    info: () => call("info"),
    createNetwork: (request) => call("createNetwork", request),
    listNetworks: () => list("listNetworks", "networks"),
    getNetwork: (name) => call("getNetwork", { name }),
    removeNetwork: (name) => call("removeNetwork", { name }),
    networkStatus: (request) => call("networkStatus", request),
    listLeases: (filter) => list("listLeases", "leases", filter),
    listEndpoints: (filter) => list("listEndpoints", "endpoints", filter),
    whoHad: (filter) => list("whoHad", "tenancies", filter),
    checkConsistency: () => call("checkConsistency"),
  };
}

interface Target {
  readonly socket: string;
  readonly onSlow: OnSlow;
}

function askService({ socket, onSlow }: Target, name: OperationName, request?: object): unknown {
  const operation = OPERATIONS[name];
  try {
    return ask(layOutRequest(operation, request), {
      socket,
      timeoutMs: SERVICE_LIMIT_MS,
      onSlow: () => onSlow(`${operation.title}: waiting for the service`),
    });
  } catch (thrown) {
    throw unreachable(thrown, {
      operation: operation.title,
      socket,
      program: "`fairlead server` or `fairlead dev`",
    });
  }
}

function sync(socket: string, onSlow: OnSlow): SyncAnswer {
  try {
    const limits = {
      socket,
      timeoutMs: AGENT_LIMIT_MS,
      onSlow: () => onSlow("waiting for this node to follow"),
    };
    return ask({ method: "POST", target: AGENT_PATHS.sync }, limits) as SyncAnswer;
  } catch (thrown) {
    throw unreachable(thrown, {
      operation: "sync this node",
      socket,
      program: "`fairlead agent` or `fairlead dev`",
    });
  }
}

interface Asking {
  readonly socket: string;
  readonly timeoutMs: number;
  readonly onSlow: () => void;
}

function ask({ method, target, body = "" }: RequestParts, { socket, timeoutMs, onSlow }: Asking): unknown {
  const request = encodeTextRequest(method, target, body);
  const pending = beginExchange(socket, request, { timeoutMs, isComplete: isCompleteResponse });
  if (!pending.isAnswered(SLOW_MS)) onSlow();
  const response = parseResponse(pending.finish());
  const value = response.body === "" ? undefined : parseJsonAnswer(response.body, socket);
  if (response.status >= 200 && response.status < 300) return value;
  throw errorFromJson((value as { error?: unknown } | undefined)?.error ?? response.body);
}

interface Asked {
  readonly operation: string;
  readonly socket: string;
  /** What would have to run. */
  readonly program: string;
}

/** Nobody listens: says what was asked for and what to start. Everything else passes unchanged. */
function unreachable(thrown: unknown, { operation, socket, program }: Asked): unknown {
  if (
    !(thrown instanceof FairleadError) ||
    thrown.code !== "unavailable" ||
    thrown.operation !== "connect to"
  ) {
    return thrown;
  }
  return new FairleadError({
    code: "unavailable",
    operation,
    object: socket,
    reason: thrown.reason,
    hint: `start it with ${program}`,
    cause: thrown,
  });
}

/** Service and agent over their unix sockets, one connection a call, blocking. */
import { FairleadError } from "../lib/errors.ts";
import { AGENT_PATHS, SYNC_LIMIT_MS, type SyncAnswer } from "../lib/rpc/agent-api.ts";
import { layOutRequest, OPERATIONS, type OperationName } from "../lib/rpc/operations.ts";
import type { CliService, Connections } from "./service.ts";
import { askJson } from "./unix-http.ts";

const SERVICE_LIMIT_MS = 30_000;
/** The agent ends a wait by itself; this is for one that is stuck. */
const AGENT_LIMIT_MS = SYNC_LIMIT_MS + 5_000;

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
    reserve: (request) => call("reserve", request),
    unreserve: (networkName, address) => call("unreserve", { networkName, address }),
    quarantine: (request) => call("quarantine", request),
    unquarantine: (address, addressSpace) => call("unquarantine", { address, addressSpace }),
    recover: (request) => call("recover", request),
    release: (request) => call("release", request),
  };
}

export interface ServiceTarget {
  readonly socket: string;
  readonly onSlow: OnSlow;
  /** Default 30 seconds. */
  readonly timeoutMs?: number;
}

/** What the service answers to one of its operations. @throws FairleadError `unavailable`, `timeout`; what it answers. */
export function askService(target: ServiceTarget, name: OperationName, request?: object): unknown {
  const { socket, onSlow, timeoutMs = SERVICE_LIMIT_MS } = target;
  const operation = OPERATIONS[name];
  try {
    return askJson(layOutRequest(operation, request), {
      socket,
      timeoutMs,
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
    return askJson({ method: "POST", target: AGENT_PATHS.sync }, limits) as SyncAnswer;
  } catch (thrown) {
    throw unreachable(thrown, {
      operation: "sync this node",
      socket,
      program: "`fairlead agent` or `fairlead dev`",
    });
  }
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

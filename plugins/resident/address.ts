/** Where a plugin looks for a resident worker, and how long it waits for its answer. A part of the plugins' first chunk. */

/**
 * Longest wait for a worker that begins with a DEL, in milliseconds. Deleting a link waits for the kernel rather than for a CPU:
 * when all workers are at it, one more process is sooner done than a place in the queue.
 */
export const DEL_START_LIMIT_MS = 25;

const DEFAULT_DIRECTORY = "/run/fairlead";
const SOCKET_NAME = "plugin-worker.sock";
/** Beyond the time limit of the IPAM service: the longest wait for a bridge's lock, and some. */
const OTHER_LIMITS_MS = 15_000;
const DEFAULT_IPAM_LIMIT_SECONDS = 10;
const LONGEST_IPAM_LIMIT_SECONDS = 60;

export interface ResidentPlace {
  readonly socketPath: string;
  /** Longest wait once a worker has begun, in milliseconds. */
  readonly limitMs: number;
}

/**
 * The worker's socket is beside that of the IPAM service. Every worker gives the same answer to a configuration, so this may
 * be simple-minded: keys in an unusual spelling lead to the default place. Null: the configuration is not what it should be.
 */
export function residentSocketFor(stdin: Uint8Array): ResidentPlace | null {
  let config: unknown;
  try {
    config = JSON.parse(new TextDecoder().decode(stdin));
  } catch {
    return null;
  }
  if (typeof config !== "object" || config === null) return null;
  const { ipam } = config as { readonly ipam?: unknown };
  const { socket, timeoutSeconds } = (typeof ipam === "object" && ipam !== null ? ipam : {}) as {
    readonly socket?: unknown;
    readonly timeoutSeconds?: unknown;
  };
  return { socketPath: `${directoryOf(socket)}/${SOCKET_NAME}`, limitMs: limitOf(timeoutSeconds) };
}

function directoryOf(socket: unknown): string {
  if (typeof socket !== "string" || !socket.startsWith("/")) return DEFAULT_DIRECTORY;
  return socket.slice(0, socket.lastIndexOf("/"));
}

function limitOf(timeoutSeconds: unknown): number {
  const seconds = typeof timeoutSeconds === "number" ? timeoutSeconds : DEFAULT_IPAM_LIMIT_SECONDS;
  const isSane = seconds > 0 && seconds <= LONGEST_IPAM_LIMIT_SECONDS;
  return (isSane ? seconds : DEFAULT_IPAM_LIMIT_SECONDS) * 1000 + OTHER_LIMITS_MS;
}

/**
 * Executes another program and waits for it: CNI delegation and the runtime's side of CNI.
 *
 * The module that does it is loaded only here and only then, because it costs more than an ADD that does not
 * delegate.
 */
import { FairleadError } from "../../errors.ts";

export interface ExecRequest {
  /** Absolute path of the program. No shell is involved, and PATH is not searched. */
  readonly path: string;
  readonly args?: readonly string[];
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  /** More on stdout than this is an error. Default 16 MiB. */
  readonly maxStdoutBytes?: number;
  /** It is killed when it takes longer than this, in milliseconds. Default: no limit. */
  readonly timeoutMs?: number;
}

export interface ExecResult {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  /** "SIGKILL"; null when it ended by itself. */
  readonly signal: string | null;
  readonly stdout: Uint8Array;
}

const DEFAULT_MAX_STDOUT_BYTES = 16 * 1024 * 1024;

/**
 * Runs the program with `stdin` as its input. Its stderr is ours. A failing exit status is a result, not an error.
 *
 * @throws FairleadError `plugin-not-found` when it cannot be started (`details.errnoName` says why: ENOENT, EACCES,
 * ENOEXEC), `unavailable` with `details.errnoName` "ETXTBSY" while somebody still writes to it, `timeout` when it had to be
 * killed, `io-failure` else.
 */
export function execFile(request: ExecRequest): ExecResult {
  const { path, args = [], env, stdin, maxStdoutBytes = DEFAULT_MAX_STDOUT_BYTES, timeoutMs } = request;
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const { error, status, signal, stdout } = spawnSync(path, [...args], {
    env: { ...env },
    input: stdin,
    stdio: ["pipe", "pipe", "inherit"],
    maxBuffer: maxStdoutBytes,
    killSignal: "SIGKILL",
    ...(timeoutMs !== undefined && { timeout: timeoutMs }),
  });
  const failure = error as (Error & { code?: string }) | undefined;
  // A program that ends without reading its input is in order; its status and output tell the rest.
  if (failure !== undefined && failure.code !== "EPIPE") throw execError(path, failure);
  return { status, signal, stdout: stdout ?? new Uint8Array() };
}

function execError(path: string, failure: Error & { code?: string }): FairleadError {
  const errno = failure.code ?? "";
  const common = { operation: "execute", object: path, details: { errnoName: errno }, cause: failure };
  switch (errno) {
    case "ENOENT":
    case "ENOTDIR":
      return new FairleadError({
        ...common,
        code: "plugin-not-found",
        reason: "there is no such program, or its interpreter is missing",
      });
    case "EACCES":
    case "EPERM":
    case "EISDIR":
    case "ENOEXEC":
      return new FairleadError({
        ...common,
        code: "plugin-not-found",
        reason: `it cannot be executed (${errno})`,
        hint: "check that it is a program for this machine and has execute permission",
      });
    case "ETXTBSY":
      return new FairleadError({
        ...common,
        code: "unavailable",
        reason: "it is being written to (ETXTBSY)",
        hint: "an installation is under way; try again",
      });
    case "ETIMEDOUT":
      return new FairleadError({ ...common, code: "timeout", reason: "it took too long and was killed" });
    case "ENOBUFS":
      return new FairleadError({ ...common, code: "io-failure", reason: "it writes too much to stdout" });
    default:
      return new FairleadError({ ...common, code: "io-failure", reason: failure.message });
  }
}

/**
 * Becomes another program: same process, same descriptors but those that close on exec. Returns only by throwing.
 *
 * @param argv with the program's name as its first word.
 */
export function replaceProcess(
  path: string,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): never {
  const { execve } = process as { execve?: (file: string, args: string[], env: NodeJS.ProcessEnv) => void };
  execve?.call(process, path, [...argv], { ...env });
  throw new FairleadError({
    code: "internal",
    operation: "execute",
    object: path,
    reason: "this runtime cannot replace its own process",
  });
}

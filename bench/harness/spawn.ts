/**
 * Starts processes with `posix_spawn` and waits for them with `wait4`, straight from libc: `child_process` would add a
 * millisecond of its own to each, a tenth of what is measured here, and says nothing about CPU time.
 *
 * Everything is synchronous: while a process is waited for, this one does nothing else.
 */
import { dlopen, getRawPointer } from "node:ffi";

const libc = dlopen("libc.so.6", {
  posix_spawn: {
    arguments: ["pointer", "pointer", "pointer", "pointer", "pointer", "pointer"],
    return: "i32",
  },
  posix_spawn_file_actions_init: { arguments: ["pointer"], return: "i32" },
  posix_spawn_file_actions_adddup2: { arguments: ["pointer", "i32", "i32"], return: "i32" },
  posix_spawn_file_actions_destroy: { arguments: ["pointer"], return: "i32" },
  wait4: { arguments: ["i32", "pointer", "i32", "pointer"], return: "i32" },
}).functions;

const POINTER_BYTES = 8;
/** `posix_spawn_file_actions_t` has 80 bytes in glibc; room to spare costs nothing. */
const FILE_ACTIONS_BYTES = 256;
/** `struct rusage`: ru_utime and ru_stime (two `struct timeval`) come first. Source: getrusage(2). */
const RUSAGE_BYTES = 144;
/** Any child. */
const ANY_PID = -1;

/** A command line and an environment as libc wants them; made ahead, so that no timed section has to. */
export interface PreparedCommand {
  readonly path: bigint;
  readonly argv: bigint;
  readonly envp: bigint;
  /** What the pointers above point into. */
  readonly memory: readonly Buffer[];
}

/** A process that ended. */
export interface Ended {
  readonly pid: number;
  /** 0 for success; the exit status, or 128 + the number of the signal that ended it. */
  readonly status: number;
  /** User and system time of the process and of the children that it waited for. */
  readonly cpuMs: number;
}

/** `argv[0]` is the path of the executable. The environment is exactly `env`. */
export function prepareCommand(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): PreparedCommand {
  const memory: Buffer[] = [];
  const path = cString(argv[0] ?? "", memory);
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return { path, argv: stringArray(argv, memory), envp: stringArray(variables, memory), memory };
}

/** Never out of a shared pool: its address must not move, and its owner keeps it alive. */
function keep(bytes: Buffer, memory: Buffer[]): bigint {
  memory.push(bytes);
  return getRawPointer(bytes);
}

function cString(text: string, memory: Buffer[]): bigint {
  const bytes = Buffer.alloc(Buffer.byteLength(text) + 1);
  bytes.write(text);
  return keep(bytes, memory);
}

/** A NULL-terminated array of C strings. */
function stringArray(texts: readonly string[], memory: Buffer[]): bigint {
  const array = Buffer.alloc((texts.length + 1) * POINTER_BYTES);
  for (const [index, text] of texts.entries())
    array.writeBigUInt64LE(cString(text, memory), index * POINTER_BYTES);
  return keep(array, memory);
}

const pidOut = Buffer.alloc(4);
const statusOut = Buffer.alloc(4);
const rusageOut = Buffer.alloc(RUSAGE_BYTES);

/** Starts the command with the given descriptors as stdin, stdout and stderr. Returns its pid. */
export function spawn(command: PreparedCommand, stdio: readonly [number, number, number]): number {
  const actions = Buffer.alloc(FILE_ACTIONS_BYTES);
  libc.posix_spawn_file_actions_init(actions);
  for (const [target, descriptor] of stdio.entries()) {
    libc.posix_spawn_file_actions_adddup2(actions, descriptor, target);
  }
  const error = libc.posix_spawn(pidOut, command.path, actions, null, command.argv, command.envp);
  libc.posix_spawn_file_actions_destroy(actions);
  if (error !== 0) throw new Error(`posix_spawn ${command.memory[0]?.subarray(0, -1)}: errno ${error}`);
  return pidOut.readInt32LE();
}

/** Waits until `pid` ends. */
export function wait(pid: number): Ended {
  for (;;) {
    const ended = reap(pid);
    if (ended) return ended;
  }
}

/** Waits until any child of this process ends. */
export function waitAny(): Ended {
  return wait(ANY_PID);
}

/** Null when a signal to this process interrupted the wait. */
function reap(pid: number): Ended | null {
  const reaped = libc.wait4(pid, statusOut, 0, rusageOut);
  if (reaped <= 0) return null;
  const status = statusOut.readInt32LE();
  const signal = status & 0x7f;
  return { pid: reaped, status: signal === 0 ? (status >> 8) & 0xff : 128 + signal, cpuMs: cpuMs() };
}

/** ru_utime and ru_stime, each seconds and microseconds. */
function cpuMs(): number {
  const field = (index: number) => Number(rusageOut.readBigInt64LE(index * 8));
  return (field(0) + field(2)) * 1000 + (field(1) + field(3)) / 1000;
}

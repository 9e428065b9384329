/**
 * Stops a process at a chosen system call: strace lists the steps of a run that goes well, and then kills further
 * runs right before one of them. SIGKILL at the entry of a system call keeps the call from being made, so that to
 * die before each step is to die in every state that lies between two of them.
 *
 * Source: strace(1), "Tampering": `inject=SET:signal=SIG:when=N` counts per thread and per system call.
 */
import { readFileSync } from "node:fs";

/** System calls that change something outside the process, or wait for someone who does. */
const STEP_CALLS = [
  ...[
    "sendto",
    "sendmsg",
    "write",
    "writev",
    "pwrite64",
    "connect",
    "setns",
    "unshare",
    "openat",
    "ftruncate",
  ],
  ...[
    "mkdir",
    "mkdirat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "symlinkat",
  ],
  ...["fsync", "fdatasync", "flock", "recvfrom", "recvmsg", "exit_group"],
] as const;

/** Calls that wait for an answer: whoever was asked has done it by now, or is doing it. */
const WAITING_CALLS: ReadonlySet<string> = new Set(["recvfrom", "recvmsg"]);

/** One place to die at: before the `ordinal`-th (1-based) `call` of the main thread. */
export interface Step {
  readonly call: string;
  readonly ordinal: number;
  /** The call as strace shows it, cut short: says in a failure what was being done. */
  readonly text: string;
}

/** Goes before a command line; the trace lands in `file`. */
export function straceRecorder(file: string): string[] {
  return ["strace", "-f", "-qq", "--seccomp-bpf", "-e", `trace=${STEP_CALLS.join(",")}`, "-o", file];
}

/**
 * Goes before a command line; the command is killed before `step`, and ends as usual when it makes no such call.
 * Without `--seccomp-bpf`, with which strace 6.1 drops the injected signal.
 */
export function straceKiller({ call, ordinal }: Step): string[] {
  const inject = `inject=${call}:signal=SIGKILL:when=${ordinal}`;
  return ["strace", "-f", "-qq", "-e", `trace=${call}`, "-e", inject, "-o", "/dev/null"];
}

/** The steps of the run that {@link straceRecorder} wrote into `file`, in the order in which they were taken. */
export function recordedSteps(file: string): Step[] {
  const lines = readFileSync(file, "utf8").split("\n");
  const mainThread = lines[0]?.split(" ")[0];
  const ordinals = new Map<string, number>();
  const steps: Step[] = [];
  for (const line of lines) {
    const [, thread, call = ""] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (thread === undefined || thread !== mainThread) continue;
    const ordinal = (ordinals.get(call) ?? 0) + 1;
    ordinals.set(call, ordinal);
    if (isStep(call, line)) steps.push({ call, ordinal, text: line.slice(0, 160) });
  }
  return steps;
}

/** A look at how long an answer is changes nothing, nor does opening a file to read it. */
function isStep(call: string, line: string): boolean {
  if (WAITING_CALLS.has(call)) return !line.includes("MSG_PEEK");
  return call !== "openat" || /O_WRONLY|O_RDWR|O_CREAT/.test(line);
}

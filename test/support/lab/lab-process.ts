/**
 * Child processes of the end-to-end tests: bounded in time, never through a shell, killed by their own pid.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { accessSync, closeSync, constants, openSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Longest that one command may take unless its caller says otherwise. */
const COMMAND_TIMEOUT_MS = 30_000;
/** How long a daemon may take to end after SIGTERM before it gets SIGKILL. */
const STOP_TIMEOUT_MS = 10_000;
/** Output beyond this fails the command: nothing that the tests run says so much. */
const OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024;

export interface CommandOptions {
  readonly input?: string;
  /** Replaces the whole environment. Default: {@link labEnvironment}. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** How a command ended. `status` is null when a signal ended it. */
export interface CommandOutcome {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The environment that every child gets: ours with the system's sbin folders in PATH, and without
 * NODE_EXTRA_CA_CERTS, which costs every start of a Node process 40 ms.
 */
export function labEnvironment(): Record<string, string> {
  const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
  const defined = Object.entries(inherited).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return { ...Object.fromEntries(defined), PATH: searchPath() };
}

function searchPath(): string {
  return [process.env.PATH ?? "/usr/bin:/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"].join(delimiter);
}

/** Runs a command to its end and says how it ended, whatever that was. Rejects only when it cannot be started. */
export function tryCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandOutcome> {
  const [file = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      {
        env: options.env ?? labEnvironment(),
        timeout: options.timeoutMs ?? COMMAND_TIMEOUT_MS,
        killSignal: "SIGKILL",
        maxBuffer: OUTPUT_LIMIT_BYTES,
        ...(options.cwd !== undefined && { cwd: options.cwd }),
      },
      (error, stdout, stderr) => {
        const failure = error as (Error & { code?: unknown }) | null;
        if (typeof failure?.code === "string") return reject(startFailure(argv, failure));
        resolve({ status: child.exitCode, signal: child.signalCode, stdout, stderr });
      },
    );
    child.stdin?.on("error", () => {}); // A child that does not read its input is no failure of ours.
    child.stdin?.end(options.input ?? "");
  });
}

function startFailure(argv: readonly string[], cause: Error): Error {
  return new Error(`start ${argv.join(" ")}: ${cause.message}`, { cause });
}

/** Runs a command to its end and returns what it wrote to stdout. @throws when its exit status is not 0. */
export async function command(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const outcome = await tryCommand(argv, options);
  if (outcome.status === 0) return outcome.stdout;
  const ending = outcome.signal ? `signal ${outcome.signal}` : `exit status ${outcome.status}`;
  throw new Error(`${argv.join(" ")}: ${ending}\n${outcome.stdout}${outcome.stderr}`.trimEnd());
}

/** A process that runs until it is stopped. Its output goes to a file. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #argv: readonly string[];
  readonly #logFile: string;

  private constructor(child: ChildProcess, argv: readonly string[], logFile: string) {
    this.#child = child;
    this.#argv = argv;
    this.#logFile = logFile;
  }

  static start(argv: readonly string[], logFile: string, env = labEnvironment()): Daemon {
    const log = openSync(logFile, "a");
    const [file = "", ...args] = argv;
    const child = spawn(file, args, { env, stdio: ["ignore", log, log] });
    closeSync(log);
    child.on("error", () => {}); // Shows as "not running" in waitUntilReady.
    return new Daemon(child, argv, logFile);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The end of what it wrote. */
  logTail(): string {
    return readFileSync(this.#logFile, "utf8").slice(-4000);
  }

  /** Waits until `probe` is true. @throws with the end of the log when the process ends or time is up. */
  async waitUntilReady(probe: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
    const ready = await waitUntil(async () => !this.running || (await probe()), timeoutMs);
    if (ready && this.running) return;
    const problem = this.running ? `not ready after ${timeoutMs} ms` : "ended at start";
    throw new Error(`${this.#argv.join(" ")}: ${problem}\n${this.logTail()}`);
  }

  /** SIGTERM, and SIGKILL when that does not end it. A process that has ended already is a success. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    if (await waitUntil(async () => !this.running, STOP_TIMEOUT_MS)) return;
    this.#child.kill("SIGKILL");
    await waitUntil(async () => !this.running, STOP_TIMEOUT_MS);
  }

  /** SIGKILL: what it was about to do is not done. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await waitUntil(async () => !this.running, STOP_TIMEOUT_MS);
  }
}

/** True also for a process that nobody has waited for yet. */
export function hasEnded(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ");
  } catch {
    return true;
  }
}

/** Until it is so; the test's own time limit says when that is too late. */
export async function until(probe: () => Promise<boolean>): Promise<void> {
  while (!(await probe())) await sleep(25);
}

/** Asks `probe` every `everyMs` milliseconds until it is true. Returns whether it became so in time. */
export async function waitUntil(
  probe: () => Promise<boolean>,
  timeoutMs: number,
  everyMs = 25,
): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    if (await probe()) return true;
    await sleep(everyMs);
  }
  return probe();
}

/** Where the tools of the tests come from: tool → Debian package. */
const PACKAGE_OF: Readonly<Record<string, string>> = {
  busybox: "busybox-static",
  conmon: "conmon",
  containerd: "containerd",
  dockerd: "docker.io",
  ctr: "containerd",
  dig: "bind9-dnsutils",
  getent: "libc-bin",
  ip: "iproute2",
  "iptables-save": "iptables",
  lexgrog: "man-db",
  mount: "mount",
  man: "man-db",
  nft: "nftables",
  nsenter: "util-linux",
  ping: "iputils-ping",
  podman: "podman",
  runc: "runc",
  script: "bsdutils",
  stty: "coreutils",
  strace: "strace",
  tar: "tar",
  tc: "iproute2",
  umount: "mount",
  unshare: "util-linux",
};

/** @throws naming the Debian packages to install when a tool is not in PATH. A test never skips for that. */
export function requireTools(...tools: readonly string[]): void {
  const missing = tools.filter((tool) => !isInPath(tool));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => PACKAGE_OF[tool] ?? tool))].join(" ");
  throw new Error(`tools not found: ${missing.join(", ")}; install them with: apt-get install ${packages}`);
}

function isInPath(tool: string): boolean {
  return searchPath()
    .split(delimiter)
    .some((directory) => isExecutable(join(directory, tool)));
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

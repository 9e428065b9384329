/** Waits for an idle machine, so that a sample measures the plugin and not what else is running. */
import { readFileSync } from "node:fs";

/** Longest wait before one sample; on a busy machine the samples are taken all the same. */
const SAMPLE_WAIT_MS = 100;
/** Looks at the run queue, this far apart, that must all find nobody but us. */
const QUIET_LOOKS = 3;
const LOOK_EVERY_MS = 1;
/** Share of idle CPU time over one second that counts as a quiet machine. */
const QUIET_SHARE = 0.88;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread. */
export function sleepSync(ms: number): void {
  Atomics.wait(sleeper, 0, 0, ms);
}

/** Waits until nothing but this process wants a CPU, at most {@link SAMPLE_WAIT_MS}. */
export function waitForQuietMoment(): void {
  const end = performance.now() + SAMPLE_WAIT_MS;
  let looks = 0;
  while (looks < QUIET_LOOKS && performance.now() < end) {
    looks = runnableProcesses() <= 1 ? looks + 1 : 0;
    sleepSync(LOOK_EVERY_MS);
  }
}

/** Waits up to `limitMs` for a machine that is idle for a second. Returns the idle share last seen, 0 to 1. */
export function waitForQuietMachine(limitMs: number): number {
  const end = performance.now() + limitMs;
  let share = idleShare();
  while (share < QUIET_SHARE && performance.now() < end) share = idleShare();
  return share;
}

/** Source: proc(5), /proc/stat: `procs_running`. */
function runnableProcesses(): number {
  return Number(/^procs_running (\d+)/m.exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? 0);
}

function idleShare(): number {
  const before = cpuTimes();
  sleepSync(1000);
  const after = cpuTimes();
  return (after.idle - before.idle) / (after.all - before.all);
}

/** Source: proc(5), /proc/stat: user nice system idle iowait irq softirq, in ticks. */
function cpuTimes(): { idle: number; all: number } {
  const first = readFileSync("/proc/stat", "latin1").split("\n")[0] ?? "";
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0] = first
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return { idle: idle + iowait, all: user + nice + system + idle + iowait + irq + softirq };
}

/** CPU time of processes that work for a plugin and outlive it: resident workers, link reapers, the IPAM service. */
import { dlopen } from "node:ffi";
import { sleepSync } from "./quiet.ts";

const libc = dlopen("libc.so.6", {
  clock_gettime: { arguments: ["i32", "pointer"], return: "i32" },
}).functions;

/** A reaper is still in the kernel for 20 ms after a DEL has ended, and a worker looks after itself when nobody asks. */
const SETTLE_MS = 30;

const timespec = Buffer.alloc(16);

/** User and system time of a process and all its threads; 0 when it has gone. */
function cpuMsOf(pid: number): number {
  // Source: include/linux/posix-timers.h, make_process_cpuclock with CPUCLOCK_SCHED; what clock_getcpuclockid(3) returns.
  const clock = (~pid << 3) | 2;
  if (libc.clock_gettime(clock, timespec) !== 0) return 0;
  return Number(timespec.readBigInt64LE(0)) * 1000 + Number(timespec.readBigInt64LE(8)) / 1_000_000;
}

/** Starts to count what `pids` use. They may do nothing for anybody else meanwhile. */
export class HelperClock {
  readonly #before: ReadonlyMap<number, number>;

  constructor(pids: readonly number[]) {
    this.#before = new Map(pids.map((pid) => [pid, cpuMsOf(pid)]));
  }

  /** Milliseconds that they have used together since then. Waits until they have done what is left to do. */
  stop(): number {
    if (this.#before.size === 0) return 0;
    sleepSync(SETTLE_MS);
    return [...this.#before].reduce((sum, [pid, before]) => sum + Math.max(0, cpuMsOf(pid) - before), 0);
  }
}

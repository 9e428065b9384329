/**
 * Ends a worker that hangs. It holds the lock of an attachment, and every call for that waits; its clients gave up long ago.
 *
 * It is asked for a sign of life over its control pipe, which it gives between two requests. One that is stopped by a signal gives
 * none, and does not go on by itself.
 */
import type { ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";
import type { Logger } from "../../lib/log.ts";
import { LIFE_SIGN } from "../../lib/resident/frames.ts";
import { isStopped, processState } from "./leftovers.ts";

const LOOK_MS = 5_000;
/** No plugin takes as long: 60 s is the longest limit for the service, and 15 s are for everything else. */
const LONGEST_SILENCE_MS = 90_000;
/** A worker that is seen stopped so often in a row stays so. */
const STOPPED_LOOKS = 2;

/** Returns the function that ends the watch. */
export function watchWorker(worker: ChildProcess, logger: Logger): () => void {
  const control = worker.stdio[4] as Duplex | null | undefined;
  let askedAt: number | null = null;
  let stopped = 0;
  control?.on("data", () => {
    askedAt = null;
  });
  // Whoever reads from the other end may be gone; its exit tells.
  control?.on("error", () => {});
  const look = (): void => {
    const { pid } = worker;
    if (pid === undefined || !control || worker.exitCode !== null) return;
    stopped = isStopped(processState(pid)?.state ?? "") ? stopped + 1 : 0;
    const silentMs = askedAt === null ? 0 : performance.now() - askedAt;
    if (stopped >= STOPPED_LOOKS || silentMs > LONGEST_SILENCE_MS) {
      logger.warn(
        { pid, silentMs: Math.round(silentMs), stopped },
        "agent: ending a plugin worker that hangs",
      );
      worker.kill("SIGKILL");
    } else if (askedAt === null) {
      askedAt = performance.now();
      control.write(LIFE_SIGN);
    }
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

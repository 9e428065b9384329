/** This process as the kernel sees it: its threads and its memory. */
import { listDirectory, readTextFile } from "../files/files.ts";
import { readLink } from "./process-place.ts";

const PAGE_BYTES = 4096;
const MIB = 1024 * 1024;

/** Memory of this process that is in RAM, shared pages included. Source: proc(5), statm. */
export function residentMib(): number {
  const pages = Number(readTextFile("/proc/self/statm").split(" ")[1]);
  return (pages * PAGE_BYTES) / MIB;
}

/**
 * Threads of this process that stand in another network namespace than the caller: those that the runtime started while the
 * caller was in a container's. Each of them keeps that namespace, with all its links, for as long as it lives.
 *
 * @param known threads that were seen to be in order; the others are added to it.
 */
export function strayThreads(known: Set<string>): number {
  const own = readLink("/proc/thread-self/ns/net");
  let strays = 0;
  for (const thread of listDirectory("/proc/self/task")) {
    if (known.has(thread)) continue;
    const netns = readLink(`/proc/self/task/${thread}/ns/net`);
    if (netns === own) known.add(thread);
    // Null: it has ended meanwhile.
    else if (netns !== null) strays += 1;
  }
  return strays;
}

/** Where a process stands: which files, links and processes the names that it gives mean. */
import { cString } from "../calls/c-string.ts";
import { listenerCalls } from "../calls/ffi.ts";

const LONGEST_LINK_BYTES = 4096;

/** What makes one name mean the same to two processes: network, mount, PID and user namespace, and root directory. */
const LINKS = ["ns/net", "ns/mnt", "ns/pid", "ns/user", "root"] as const;

/**
 * Text that is equal for two processes exactly when they stand in the same place; null when that cannot be seen: the process
 * is gone, or not ours to look at.
 *
 * @param pid a process of our PID namespace.
 */
export function placeOf(pid: number | "self"): string | null {
  const links: string[] = [];
  for (const name of LINKS) {
    const target = readLink(`/proc/${pid}/${name}`);
    if (target === null) return null;
    links.push(target);
  }
  return links.join("\n");
}

/** Target of a symbolic link; null when there is no such link. */
export function readLink(path: string): string | null {
  const buffer = new Uint8Array(LONGEST_LINK_BYTES);
  const length = listenerCalls().readlink(cString(path), buffer, buffer.length);
  return length < 0 || length === buffer.length ? null : new TextDecoder().decode(buffer.subarray(0, length));
}

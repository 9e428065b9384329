/**
 * Network namespaces with a name: a file under /run/netns that keeps one alive without any process in it. `ip netns`
 * sees them.
 *
 * Source: ip-netns(8); iproute2 6.1, ip/ipnetns.c, for how the folder is shared between mount namespaces.
 */
import { FairleadError } from "../../errors.ts";
import { closeFd, EEXIST, EINVAL, invoke, invokeOrThrow, SyscallError } from "../calls/errno.ts";
import { cString } from "../calls/ffi.ts";
import { makeDirectories, O_CREAT, O_EXCL, O_RDONLY, openFile, removeFile } from "../files/files.ts";
import { CLONE_NEWNET, MS_BIND, MS_REC, MS_SHARED, mount, unmount, unshare } from "./namespace-calls.ts";
import { openNetnsIfExists } from "./netns.ts";

const FOLDER = "/run/netns";
const OWN_NETNS = "/proc/thread-self/ns/net";

/** Path of the netns called `name`. */
export function namedNetnsPath(name: string): string {
  return `${FOLDER}/${name}`;
}

/**
 * Makes a network namespace called `name` and returns its path. The calling thread visits it and comes back; nothing
 * may be awaited and no thread may start meanwhile (see netns.ts), so no daemon may call this.
 *
 * @throws FairleadError `already-exists`; SyscallError. Nothing is left behind then.
 */
export function createNamedNetns(name: string): string {
  shareFolder();
  const path = namedNetnsPath(name);
  reserve(path, name);
  const own = openFile(OWN_NETNS, O_RDONLY);
  try {
    unshare(CLONE_NEWNET);
    try {
      mount(OWN_NETNS, path, { flags: MS_BIND });
    } finally {
      invokeOrThrow("setns", "own network namespace", (c) => c.setns(own, CLONE_NEWNET));
    }
    return path;
  } catch (error) {
    removeFile(path);
    throw error;
  } finally {
    closeFd(own);
  }
}

function reserve(path: string, name: string): void {
  const file = cString(path);
  const fd = invoke((c) => c.open(file, O_RDONLY | O_CREAT | O_EXCL, 0));
  if (fd >= 0) {
    closeFd(fd);
    return;
  }
  if (fd !== -EEXIST) throw new SyscallError({ syscall: "open", object: path, errno: -fd });
  throw new FairleadError({
    code: "already-exists",
    operation: "make network namespace",
    object: name,
    reason: `there is ${path} already`,
    hint: `choose another name, or remove it with: ip netns del ${name}`,
  });
}

/** Names made or removed by one process are seen by those in other mount namespaces, as with `ip netns`. */
function shareFolder(): void {
  makeDirectories(FOLDER);
  try {
    mount("", FOLDER, { flags: MS_SHARED | MS_REC, type: "none" });
  } catch (error) {
    if (!(error instanceof SyscallError && error.errno === EINVAL)) throw error;
    mount(FOLDER, FOLDER, { flags: MS_BIND | MS_REC });
    mount("", FOLDER, { flags: MS_SHARED | MS_REC, type: "none" });
  }
}

/**
 * Takes the name away; the namespace goes with its last process. Idempotent. Returns whether there was one.
 */
export function removeNamedNetns(name: string): boolean {
  const path = namedNetnsPath(name);
  const mounted = unmount(path);
  return removeFile(path) || mounted;
}

/**
 * Identity of the netns at `path`: equal exactly for one and the same; null when there is none there.
 *
 * @throws SyscallError when it may not be looked at.
 */
export function netnsIdentity(path: string): string | null {
  try {
    const netns = openNetnsIfExists(path);
    if (netns === null) return null;
    try {
      return netns.identity;
    } finally {
      netns.close();
    }
  } catch (error) {
    // Something else is there. What may not be looked at is another matter.
    if (error instanceof FairleadError && error.code === "invalid-netns" && !(error instanceof SyscallError))
      return null;
    throw error;
  }
}

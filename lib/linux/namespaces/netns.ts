/**
 * Network namespaces.
 *
 * Which netns a socket, a link or a setting belongs to is decided by the *thread* that opens or names it. A thread
 * that was started while another one stood in a foreign netns stays there for good. Hence the rules here: between
 * entering and leaving nothing may be awaited and no thread may start; the only thing worth doing inside is to
 * open a socket, which stays in its netns, or to touch a sysctl; and no daemon enters a netns in its main process.
 *
 * Source: setns(2), network_namespaces(7).
 */
import { FairleadError } from "../../errors.ts";
import { closeFd, ENOENT, ENOTDIR, EPERM, invoke, invokeOrThrow, SyscallError } from "../calls/errno.ts";
import { cString, libc } from "../calls/ffi.ts";
import { O_CLOEXEC, O_PATH, O_RDONLY, openFile } from "../files/files.ts";
import { statFd, statPath } from "../files/stat.ts";

/** `f_type` of the file system that namespaces live in. Source: include/uapi/linux/magic.h. */
const NSFS_MAGIC = 0x6e736673;
/** Source: include/uapi/linux/nsfs.h, `_IO(0xb7, 0x3)`; Linux 4.11. */
const NS_GET_NSTYPE = 0xb703;
/** Source: include/uapi/linux/sched.h. */
const CLONE_NEWNET = 0x40000000;

const NAMESPACE_KINDS: ReadonlyMap<number, string> = new Map([
  [0x80, "time"],
  [0x20000, "mount"],
  [0x2000000, "cgroup"],
  [0x4000000, "UTS"],
  [0x8000000, "IPC"],
  [0x10000000, "user"],
  [0x20000000, "PID"],
]);

/** The netns of the calling thread. `/proc/self` would be that of the process's first thread. */
const OWN_NETNS = "/proc/thread-self/ns/net";

/** An open network namespace. It exists at least until {@link Netns.close}, even if its path is removed. */
export class Netns {
  readonly path: string;
  /** For netlink attributes such as IFLA_NET_NS_FD. Owned by this object. */
  readonly fd: number;
  #open = true;

  constructor(path: string, fd: number) {
    this.path = path;
    this.fd = fd;
  }

  /** Device and inode: equal exactly for two that are one and the same, as long as either is open. */
  get identity(): string {
    return statFd(this.fd, this.path).identity;
  }

  /** Doing so twice is harmless. */
  close(): void {
    if (this.#open) closeFd(this.fd);
    this.#open = false;
  }
}

/**
 * Opens the network namespace at `path`, and nothing else: what is no namespace is recognised before it is opened
 * for good, since merely opening some device files does things.
 *
 * @throws FairleadError invalid-netns, saying what `path` is instead.
 */
export function openNetns(path: string): Netns {
  const netns = openNetnsIfExists(path);
  if (netns === null)
    throw invalidNetns(path, "there is no such file", "the container may have ended already");
  return netns;
}

/** Like {@link openNetns}, but null when there is nothing at `path`. */
export function openNetnsIfExists(path: string): Netns | null {
  const name = cString(path);
  const probe = invoke((c) => c.open(name, O_PATH | O_CLOEXEC, 0));
  if (probe === -ENOENT || probe === -ENOTDIR) return null;
  if (probe < 0)
    throw new SyscallError({ syscall: "open", object: path, errno: -probe, code: "invalid-netns" });
  try {
    if (fileSystemType(probe, path) !== NSFS_MAGIC) throw notNamespace(path, statFd(probe, path).kind);
    const fd = openFile(`/proc/self/fd/${probe}`, O_RDONLY);
    return checkKind(new Netns(path, fd));
  } finally {
    closeFd(probe);
  }
}

function fileSystemType(fd: number, path: string): number {
  const buffer = new Uint8Array(120); // struct statfs, whose first long is f_type
  invokeOrThrow("fstatfs", path, (c) => c.fstatfs(fd, buffer));
  return new DataView(buffer.buffer).getUint32(0, true);
}

function checkKind(netns: Netns): Netns {
  const kind = invoke((c) => c.ioctl(netns.fd, NS_GET_NSTYPE, null));
  if (kind === CLONE_NEWNET) return netns;
  netns.close();
  throw invalidNetns(netns.path, `it is a namespace of another kind: ${NAMESPACE_KINDS.get(kind) ?? kind}`);
}

function notNamespace(path: string, kind: string): FairleadError {
  const hint = kind === "regular file" ? "a netns that was mounted there is gone, or never was" : undefined;
  return invalidNetns(path, `it is a ${kind}`, hint);
}

function invalidNetns(path: string, reason: string, hint?: string): FairleadError {
  return new FairleadError({
    code: "invalid-netns",
    operation: "open network namespace",
    object: path,
    reason,
    ...(hint !== undefined && { hint }),
  });
}

/** True when `netns` is the one that this thread is in. */
export function isOwnNetns(netns: Netns): boolean {
  return netns.identity === statPath(OWN_NETNS)?.identity;
}

/** `T`, unless it is a promise: what is awaited would go on in a namespace that was left. */
type Synchronous<T> = T extends PromiseLike<unknown> ? never : T;

/**
 * Runs `action` in `netns` and goes back, whatever happens. Needs CAP_SYS_ADMIN.
 *
 * `action` must be synchronous and start no thread. If there is no way back, the process ends on the spot: it could
 * only go on to change the wrong namespace.
 *
 * @throws SyscallError when the netns cannot be entered; what `action` throws.
 */
export function withNetns<T>(netns: Netns, action: () => Synchronous<T>): T {
  const own = openFile(OWN_NETNS, O_RDONLY);
  try {
    enterNetns(netns);
    try {
      return refusePromise(action());
    } finally {
      if (invoke((c) => c.setns(own, CLONE_NEWNET)) < 0) endProcess(netns);
    }
  } finally {
    closeFd(own);
  }
}

/** The type says it; this is for callers whose types do not. */
function refusePromise<T>(result: T): T {
  if (typeof (result as { then?: unknown } | null)?.then !== "function") return result;
  throw new FairleadError({
    code: "internal",
    operation: "run in network namespace",
    reason: "the action returned a promise, which would go on outside of the namespace",
  });
}

/**
 * Moves the calling thread into `netns` for good; other threads stay where they are. For a process that is about to
 * become another program, and for nothing else.
 *
 * @throws SyscallError
 */
export function enterNetns(netns: Netns): void {
  const result = invoke((c) => c.setns(netns.fd, CLONE_NEWNET));
  if (result >= 0) return;
  const errno = -result;
  throw new SyscallError({
    syscall: "setns",
    object: netns.path,
    errno,
    operation: "enter network namespace",
    ...(errno === EPERM && { hint: "this needs CAP_SYS_ADMIN: run as root" }),
  });
}

function endProcess(netns: Netns): never {
  const text = `fairlead: cannot return from network namespace ${netns.path} (errno ${libc().errno()}); stopping\n`;
  const bytes = new TextEncoder().encode(text);
  libc().write(2, bytes, bytes.length);
  libc()._exit(1);
  throw new Error(text);
}

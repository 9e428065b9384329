/**
 * Calls that make and furnish namespaces: for the command line, which makes sandboxes and enters them. No daemon and no
 * plugin calls any of these.
 */
import { EINVAL, ENOENT, invoke, invokeOrThrow, SyscallError } from "../calls/errno.ts";
import { cString, namespaceCalls } from "../calls/ffi.ts";

// Source: include/uapi/linux/sched.h.
export const CLONE_FS = 0x200;
export const CLONE_NEWNS = 0x20000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWNET = 0x40000000;

// Source: include/uapi/linux/mount.h.
export const MS_BIND = 0x1000;
export const MS_REC = 0x4000;
export const MS_SLAVE = 0x80000;
export const MS_SHARED = 0x100000;
const MNT_DETACH = 2;

/** Signals that the JavaScript runtime ignores and a program expects to be at their defaults. */
const IGNORED_BY_RUNTIME = [13 /* SIGPIPE */, 25 /* SIGXFSZ */];

/** Gives the calling thread namespaces of its own. @throws SyscallError */
export function unshare(flags: number): void {
  invokeOrThrow("unshare", "namespaces", () => namespaceCalls().unshare(flags));
}

/** Mounts `source` on `target`. @throws SyscallError */
export function mount(
  source: string,
  target: string,
  { flags, type }: { readonly flags: number; readonly type?: string },
): void {
  const [from, to] = [cString(source), cString(target)];
  const kind = type === undefined ? null : cString(type);
  invokeOrThrow("mount", target, () => namespaceCalls().mount(from, to, kind, flags, null));
}

/** Unmounts lazily. False when nothing is mounted there. @throws SyscallError */
export function unmount(target: string): boolean {
  const name = cString(target);
  const result = invoke(() => namespaceCalls().umount2(name, MNT_DETACH));
  if (result === -EINVAL || result === -ENOENT) return false;
  if (result < 0) throw new SyscallError({ syscall: "umount2", object: target, errno: -result });
  return true;
}

/** Sets the host name of this thread's UTS namespace. @throws SyscallError */
export function setHostname(name: string): void {
  const bytes = new TextEncoder().encode(name);
  invokeOrThrow("sethostname", name, () => namespaceCalls().sethostname(bytes, bytes.length));
}

/** Cuts an open file off at `length`. @throws SyscallError */
export function truncate(fd: number, length: number, name: string): void {
  invokeOrThrow("ftruncate", name, () => namespaceCalls().ftruncate(fd, length));
}

/** Puts the signals that this runtime ignores back to their defaults: a program that is executed inherits them. */
export function restoreSignals(): void {
  for (const number of IGNORED_BY_RUNTIME)
    invokeOrThrow("signal", String(number), () => namespaceCalls().signal(number, null));
}

/**
 * Network settings under /proc/sys/net.
 *
 * They belong to a netns: which one is decided by the thread that opens the file, so inside `withNetns` these are
 * the container's. Source: Documentation/networking/ip-sysctl.rst.
 */
import { FairleadError } from "../../errors.ts";
import { closeFd, ENOENT, invoke, SyscallError } from "../calls/errno.ts";
import { cString } from "../calls/ffi.ts";
import { O_CLOEXEC, O_WRONLY, readFileIfExists } from "./files.ts";
import { writeAll } from "./stdio.ts";

/**
 * Parts of a key below `net`: `["ipv4", "conf", "eth0", "arp_notify"]`. In parts, because a link name may hold
 * a dot, which in the dotted form would read as a separator.
 */
export type SysctlKey = readonly [string, ...string[]];

/** `net.ipv4.conf.eth0.arp_notify`, the form that people search for; dots of a link name stay as they are. */
export function formatSysctlKey(key: SysctlKey): string {
  return ["net", ...key].join(".");
}

function sysctlPath(key: SysctlKey): string {
  for (const part of key) {
    if (part !== "" && part !== "." && part !== ".." && !/[/\0]/.test(part)) continue;
    throw new FairleadError({
      code: "invalid-config",
      operation: "find sysctl",
      object: formatSysctlKey(key),
      reason: `${JSON.stringify(part)} cannot be part of a key`,
    });
  }
  return `/proc/sys/net/${key.join("/")}`;
}

/** The value without its newline, or null when this kernel, or this netns, has no such key. */
export function readSysctl(key: SysctlKey): string | null {
  const bytes = readFileIfExists(sysctlPath(key));
  return bytes === null ? null : new TextDecoder().decode(bytes).trimEnd();
}

/**
 * @throws SyscallError naming key and value: `not-found` for a key that does not exist; often
 * `permission-denied` or EROFS inside an unprivileged container.
 */
export function writeSysctl(key: SysctlKey, value: string): void {
  const path = cString(sysctlPath(key));
  const object = `${formatSysctlKey(key)} to ${JSON.stringify(value)}`;
  const fd = invoke((c) => c.open(path, O_WRONLY | O_CLOEXEC, 0));
  if (fd < 0) throw sysctlError(object, "open", -fd);
  try {
    writeAll(fd, new TextEncoder().encode(value));
  } catch (error) {
    throw error instanceof SyscallError ? sysctlError(object, "write", error.errno) : error;
  } finally {
    closeFd(fd);
  }
}

function sysctlError(object: string, syscall: string, errno: number): SyscallError {
  const absent = errno === ENOENT;
  return new SyscallError({
    syscall,
    object,
    errno,
    operation: "set sysctl",
    ...(absent && { code: "not-found" as const, hint: "this kernel, or this netns, has no such setting" }),
  });
}

/**
 * Sets a key unless it has the value already, so that a read-only /proc/sys that is right is no error.
 * Returns whether it had to be changed.
 */
export function ensureSysctl(key: SysctlKey, value: string): boolean {
  if (readSysctl(key) === value) return false;
  writeSysctl(key, value);
  return true;
}

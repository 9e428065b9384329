/**
 * What a path is, and what is in a directory.
 *
 * Both go through `syscall`: glibc has wrappers only since 2.28 and 2.30, and `statx`, unlike `stat`, has one
 * layout on every architecture.
 */
import { ENOENT, ENOTDIR, invoke, invokeOrThrow, SyscallError } from "../calls/errno.ts";
import { cString } from "../calls/ffi.ts";

// Source: arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h (arm64).
const SYSTEM_CALLS = {
  x64: { statx: 332, getdents64: 217 },
  arm64: { statx: 291, getdents64: 61 },
} as const;

// Source: include/uapi/linux/fcntl.h, include/uapi/linux/stat.h.
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BYTES = 256;
const S_IFMT = 0o170000;

const FILE_KINDS: ReadonlyMap<number, FileKind> = new Map([
  [0o010000, "FIFO"],
  [0o020000, "character device"],
  [0o040000, "directory"],
  [0o060000, "block device"],
  [0o100000, "regular file"],
  [0o120000, "symbolic link"],
  [0o140000, "socket"],
]);

type FileKind =
  | "FIFO"
  | "character device"
  | "directory"
  | "block device"
  | "regular file"
  | "symbolic link"
  | "socket"
  | "special file";

export interface FileStatus {
  readonly kind: FileKind;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly sizeBytes: number;
  /** Device and inode, together the file's identity: equal exactly when two paths lead to one file. */
  readonly identity: string;
  /** Owner. */
  readonly uid: number;
}

function systemCall(name: keyof (typeof SYSTEM_CALLS)["x64"]): number {
  return SYSTEM_CALLS[process.arch === "arm64" ? "arm64" : "x64"][name];
}

/** Status of what `path` leads to, symbolic links followed; null when there is nothing. */
export function statPath(path: string): FileStatus | null {
  return statAt(AT_FDCWD, path, path);
}

/** Status of an open file; `name` is for the error message. */
export function statFd(fd: number, name: string): FileStatus {
  const status = statAt(fd, "", name);
  if (status === null) throw new SyscallError({ syscall: "statx", object: name, errno: ENOENT });
  return status;
}

function statAt(fd: number, path: string, name: string): FileStatus | null {
  const buffer = new Uint8Array(STATX_BYTES);
  const text = cString(path);
  const flags = path === "" ? AT_EMPTY_PATH : 0;
  const number = systemCall("statx");
  const result = invoke((c) => c.syscall(number, fd, text, flags, STATX_BASIC_STATS, buffer));
  if (result === -ENOENT || result === -ENOTDIR) return null;
  if (result < 0) throw new SyscallError({ syscall: "statx", object: name, errno: -result });
  return readStatx(new DataView(buffer.buffer));
}

/** Source: include/uapi/linux/stat.h struct statx; host byte order, little-endian on both architectures. */
function readStatx(view: DataView): FileStatus {
  const mode = view.getUint16(28, true);
  const inode = view.getBigUint64(32, true);
  const [deviceMajor, deviceMinor] = [view.getUint32(136, true), view.getUint32(140, true)];
  return {
    kind: FILE_KINDS.get(mode & S_IFMT) ?? "special file",
    mode: mode & 0o7777,
    sizeBytes: Number(view.getBigUint64(40, true)),
    identity: `${deviceMajor}:${deviceMinor}:${inode}`,
    uid: view.getUint32(20, true),
  };
}

/** Names in the open directory `fd`, without "." and "..". Source: include/linux/dirent.h linux_dirent64. */
export function listNames(fd: number, path: string): string[] {
  const buffer = new Uint8Array(32 * 1024);
  const view = new DataView(buffer.buffer);
  const number = systemCall("getdents64");
  const names: string[] = [];
  for (;;) {
    const length = invokeOrThrow("getdents64", path, (c) =>
      c.syscall(number, fd, buffer, buffer.length, 0, null),
    );
    if (length === 0) return names;
    for (let at = 0; at < length; at += view.getUint16(at + 16, true)) {
      const end = buffer.indexOf(0, at + 19);
      const name = new TextDecoder().decode(buffer.subarray(at + 19, end));
      if (name !== "." && name !== "..") names.push(name);
    }
  }
}

/**
 * Files by system calls. The plugins' path needs a handful of operations, and the runtime's file module would cost
 * more start-up time than all of them.
 */
import { FairleadError } from "../../errors.ts";
import { TEMPORARY_PREFIX } from "../../temporary-name.ts";
import { closeFd, EEXIST, ENOENT, ENOTDIR, invoke, invokeOrThrow, SyscallError } from "../calls/errno.ts";
import { cString, type Libc } from "../calls/ffi.ts";
import { listNames, statPath } from "./stat.ts";
import { readAll, writeAll } from "./stdio.ts";

// Source: include/uapi/asm-generic/fcntl.h; these values are the same on x86-64 and arm64.
export const O_RDONLY = 0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;

const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;

export interface ReadOptions {
  /** A longer file is an error, not a truncation. Default 16 MiB. */
  readonly maxBytes?: number;
}

/** @throws SyscallError; FairleadError io-failure when the file is longer than `maxBytes`. */
export function readFile(path: string, options: ReadOptions = {}): Uint8Array {
  const bytes = readFileIfExists(path, options);
  if (bytes === null)
    throw new SyscallError({ syscall: "open", object: path, errno: ENOENT, code: "not-found" });
  return bytes;
}

/** Like {@link readFile}, but null when there is no such file. */
export function readFileIfExists(
  path: string,
  { maxBytes = DEFAULT_MAX_BYTES }: ReadOptions = {},
): Uint8Array | null {
  const fd = openIfExists(path, O_RDONLY | O_CLOEXEC);
  if (fd === null) return null;
  try {
    return readAll(fd, { maxBytes, name: path });
  } finally {
    closeFd(fd);
  }
}

/** The file as text, in which bytes that are not UTF-8 became U+FFFD. */
export function readTextFile(path: string, options: ReadOptions = {}): string {
  return new TextDecoder().decode(readFile(path, options));
}

function openIfExists(path: string, flags: number): number | null {
  const name = cString(path);
  const fd = invoke((c) => c.open(name, flags, 0));
  if (fd === -ENOENT || fd === -ENOTDIR) return null;
  if (fd < 0) throw new SyscallError({ syscall: "open", object: path, errno: -fd });
  return fd;
}

/** @throws SyscallError. The caller owns the descriptor and closes it with `closeFd`. */
export function openFile(path: string, flags: number, mode = 0): number {
  const name = cString(path);
  return invokeOrThrow("open", path, (c) => c.open(name, flags | O_CLOEXEC, mode));
}

/**
 * Replaces the content of `path`, or makes it, so that after any crash it is wholly the old or wholly the new, and
 * after the return it is the new. The directory must exist.
 *
 * Concurrent writers of one path do not disturb each other: one of them wins.
 *
 * @param mode permission bits of the file, less the umask. Default 0600.
 * @throws SyscallError; the file is then as it was.
 */
export function writeFileDurable(path: string, bytes: Uint8Array, mode = 0o600): void {
  const { fd, temporary } = createTemporary(directoryOf(path), mode);
  try {
    try {
      writeAll(fd, bytes, temporary);
      invokeOrThrow("fsync", temporary, (c) => c.fsync(fd));
    } finally {
      closeFd(fd);
    }
    const [from, to] = [cString(temporary), cString(path)];
    invokeOrThrow("rename", path, (c) => c.rename(from, to));
  } catch (error) {
    removeFile(temporary);
    throw error;
  }
  syncDirectory(directoryOf(path));
}

function createTemporary(directory: string, mode: number): { fd: number; temporary: string } {
  for (let attempt = 0; ; attempt++) {
    // Left-overs of a crashed process with our number, or of one in another PID namespace, are stepped over.
    const temporary = `${directory}/${TEMPORARY_PREFIX}${process.pid}-${attempt}`;
    const name = cString(temporary);
    const fd = invoke((c) => c.open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (fd >= 0) return { fd, temporary };
    if (fd !== -EEXIST) throw new SyscallError({ syscall: "open", object: temporary, errno: -fd });
  }
}

/**
 * Removes what writers that were killed left in `directory`: temporaries of {@link writeFileDurable} whose process is no more.
 * One of a living process in another PID namespace may be among them; that process then gets an error, and nothing else.
 */
export function removeAbandonedTemporaries(directory: string): void {
  for (const name of namesIn(directory)) {
    if (!name.startsWith(TEMPORARY_PREFIX)) continue;
    const pid = Number.parseInt(name.slice(TEMPORARY_PREFIX.length), 10);
    if (pid !== process.pid && !pathExists(`/proc/${pid}`)) removeFile(`${directory}/${name}`);
  }
}

/** Makes names that were added to or removed from `directory` survive a crash. */
export function syncDirectory(directory: string): void {
  const fd = openFile(directory, O_RDONLY);
  try {
    invokeOrThrow("fsync", directory, (c) => c.fsync(fd));
  } finally {
    closeFd(fd);
  }
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : path.slice(0, slash);
}

/** Removes a file and says whether there was one. Not yet durable: see {@link syncDirectory}. */
export function removeFile(path: string): boolean {
  return removeBy("unlink", path, (c, name) => c.unlink(name));
}

/** Removes an empty directory and says whether there was one. */
export function removeDirectory(path: string): boolean {
  return removeBy("rmdir", path, (c, name) => c.rmdir(name));
}

function removeBy(syscall: string, path: string, call: (c: Libc, name: Uint8Array) => number): boolean {
  const name = cString(path);
  const result = invoke((c) => call(c, name));
  if (result === -ENOENT || result === -ENOTDIR) return false;
  if (result < 0) throw new SyscallError({ syscall, object: path, errno: -result });
  return true;
}

/**
 * Makes a directory and those above it, where they are missing.
 *
 * @param mode permission bits of the directories made, less the umask. Default 0755.
 * @throws SyscallError; FairleadError io-failure when something else has the name.
 */
export function makeDirectories(path: string, mode = 0o755): void {
  const name = cString(path);
  let result = invoke((c) => c.mkdir(name, mode));
  if (result === -ENOENT && directoryOf(path) !== path) {
    makeDirectories(directoryOf(path), mode);
    result = invoke((c) => c.mkdir(name, mode));
  }
  if (result >= 0) return;
  if (result !== -EEXIST) throw new SyscallError({ syscall: "mkdir", object: path, errno: -result });
  const kind = statPath(path)?.kind;
  if (kind === "directory") return;
  throw new FairleadError({
    code: "io-failure",
    operation: "make directory",
    object: path,
    reason: `there is a ${kind ?? "dangling symbolic link"} of that name`,
    hint: "move it away",
  });
}

/** True when `path` leads to anything at all. A name whose directory is missing does not exist either. */
export function pathExists(path: string): boolean {
  return statPath(path) !== null;
}

/**
 * Names in a directory, in no order, without "." and "..", and without the temporaries of
 * {@link writeFileDurable}. A directory that does not exist is empty.
 */
export function listDirectory(path: string): string[] {
  return namesIn(path).filter((name) => !name.startsWith(TEMPORARY_PREFIX));
}

function namesIn(directory: string): string[] {
  const fd = openIfExists(directory, O_RDONLY | O_CLOEXEC);
  if (fd === null) return [];
  try {
    return listNames(fd, directory);
  } finally {
    closeFd(fd);
  }
}

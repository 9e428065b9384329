/**
 * The C functions that Fairlead calls: what they look like, on this side and on the other.
 *
 * All of them are in glibc 2.17 and in musl. What is newer (`statx`, `getdents64`) goes through `syscall`.
 */
/**
 * C functions, by their own names and with their own arguments; see their manual pages (section 2).
 *
 * Each returns what C returns: -1 means failure, and then {@link errno}, asked right away, says why. Text is
 * passed as NUL-terminated bytes (`cString`). Call them through {@link invoke} of errno.ts, which repeats
 * what a signal interrupted.
 */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number;
  shutdown(fd: number, how: number): number;
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  recv(fd: number, buffer: Uint8Array, length: number, flags: number): number;
  open(path: Uint8Array, flags: number, mode: number): number;
  close(fd: number): number;
  read(fd: number, buffer: Uint8Array, length: number): number;
  write(fd: number, bytes: Uint8Array, length: number): number;
  fsync(fd: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array | null): number;
  rename(from: Uint8Array, to: Uint8Array): number;
  unlink(path: Uint8Array): number;
  mkdir(path: Uint8Array, mode: number): number;
  rmdir(path: Uint8Array): number;
  flock(fd: number, operation: number): number;
  fcntl(fd: number, command: number, argument: Uint8Array): number;
  fstatfs(fd: number, buffer: Uint8Array): number;
  setns(fd: number, kind: number): number;
  poll(fds: Uint8Array | null, count: number, timeoutMs: number): number;
  /** Ends the process at once: no exit handler, no flush. */
  _exit(status: number): void;
  /** `statx(dirfd, path, flags, mask, buffer)` and `getdents64(fd, buffer, length)` have this shape in common. */
  syscall(
    number: number,
    fd: number,
    bytes: Uint8Array,
    third: number,
    fourth: number,
    buffer: Uint8Array | null,
  ): number;
  /** errno of the last call that failed. */
  errno(): number;
}

export type CType = "i32" | "i64" | "usize" | "pointer" | "void";

export interface Signature {
  readonly args: readonly CType[];
  readonly returns: CType;
}

export type LibcFunction = Exclude<keyof Libc, "errno">;

/** The C types of every function of {@link Libc}. */
export const SIGNATURES: Readonly<Record<LibcFunction, Signature>> = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "pointer", "i32"], returns: "i32" },
  connect: { args: ["i32", "pointer", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "pointer", "i32"], returns: "i32" },
  shutdown: { args: ["i32", "i32"], returns: "i32" },
  send: { args: ["i32", "pointer", "usize", "i32"], returns: "i64" },
  recv: { args: ["i32", "pointer", "usize", "i32"], returns: "i64" },
  open: { args: ["pointer", "i32", "i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  read: { args: ["i32", "pointer", "usize"], returns: "i64" },
  write: { args: ["i32", "pointer", "usize"], returns: "i64" },
  fsync: { args: ["i32"], returns: "i32" },
  ioctl: { args: ["i32", "usize", "pointer"], returns: "i32" },
  rename: { args: ["pointer", "pointer"], returns: "i32" },
  unlink: { args: ["pointer"], returns: "i32" },
  mkdir: { args: ["pointer", "i32"], returns: "i32" },
  rmdir: { args: ["pointer"], returns: "i32" },
  flock: { args: ["i32", "i32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "pointer"], returns: "i32" },
  fstatfs: { args: ["i32", "pointer"], returns: "i32" },
  setns: { args: ["i32", "i32"], returns: "i32" },
  poll: { args: ["pointer", "usize", "i32"], returns: "i32" },
  _exit: { args: ["i32"], returns: "void" },
  syscall: { args: ["i64", "i64", "pointer", "i64", "i64", "pointer"], returns: "i64" },
};

/**
 * What it takes to be the one who is connected to. Bound apart, because every function that a plugin binds at its start
 * costs it ten microseconds.
 */
export interface ListenerCalls {
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: null, length: null, flags: number): number;
  /** `length` holds a C int: the room in `value`, and afterwards what was written. */
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array): number;
  chmod(path: Uint8Array, mode: number): number;
  readlink(path: Uint8Array, buffer: Uint8Array, length: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  epoll_wait(epoll: number, events: Uint8Array, count: number, timeoutMs: number): number;
  pipe2(ends: Uint8Array, flags: number): number;
  name_to_handle_at(
    directory: number,
    path: Uint8Array,
    handle: Uint8Array,
    mountId: Uint8Array,
    flags: number,
  ): number;
}

/** The C types of every function of {@link ListenerCalls}. */
export const LISTENER_SIGNATURES: Readonly<Record<keyof ListenerCalls, Signature>> = {
  listen: { args: ["i32", "i32"], returns: "i32" },
  accept4: { args: ["i32", "pointer", "pointer", "i32"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "pointer", "pointer"], returns: "i32" },
  chmod: { args: ["pointer", "i32"], returns: "i32" },
  readlink: { args: ["pointer", "pointer", "usize"], returns: "i64" },
  epoll_create1: { args: ["i32"], returns: "i32" },
  epoll_ctl: { args: ["i32", "i32", "i32", "pointer"], returns: "i32" },
  epoll_wait: { args: ["i32", "pointer", "i32", "i32"], returns: "i32" },
  pipe2: { args: ["pointer", "i32"], returns: "i32" },
  name_to_handle_at: { args: ["i32", "pointer", "pointer", "pointer", "i32"], returns: "i32" },
};

/** What makes and furnishes namespaces: for the command line, which makes sandboxes and enters them. */
export interface NamespaceCalls {
  unshare(flags: number): number;
  mount(
    source: Uint8Array,
    target: Uint8Array,
    type: Uint8Array | null,
    flags: number,
    data: Uint8Array | null,
  ): number;
  umount2(target: Uint8Array, flags: number): number;
  sethostname(name: Uint8Array, length: number): number;
  ftruncate(fd: number, length: number): number;
  /** `handler` null: the default. */
  signal(number: number, handler: Uint8Array | null): number;
}

/** The C types of every function of {@link NamespaceCalls}. */
export const NAMESPACE_SIGNATURES: Readonly<Record<keyof NamespaceCalls, Signature>> = {
  unshare: { args: ["i32"], returns: "i32" },
  mount: { args: ["pointer", "pointer", "pointer", "usize", "pointer"], returns: "i32" },
  umount2: { args: ["pointer", "i32"], returns: "i32" },
  sethostname: { args: ["pointer", "usize"], returns: "i32" },
  ftruncate: { args: ["i32", "i64"], returns: "i32" },
  signal: { args: ["i32", "pointer"], returns: "i64" },
};

/** Pipes between processes. Source: pipe(7). */
import { SyscallError } from "../calls/errno.ts";
import { libc, listenerCalls } from "../calls/ffi.ts";
import { O_CLOEXEC } from "./files.ts";

/** Descriptors, both close-on-exec; the caller closes them. What is written in one piece of at most 4 KiB is not torn apart. */
export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/** @throws SyscallError */
export function makePipe(): Pipe {
  const ends = new Uint8Array(8);
  if (listenerCalls().pipe2(ends, O_CLOEXEC) < 0) {
    throw new SyscallError({ syscall: "pipe2", object: "pipe", errno: libc().errno() });
  }
  const view = new DataView(ends.buffer);
  return { readEnd: view.getInt32(0, true), writeEnd: view.getInt32(4, true) };
}

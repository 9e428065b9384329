/** Terminals: whether a descriptor is one, how wide it is, and a line that somebody types. */
import { invoke, SyscallError } from "../calls/errno.ts";

/** Source: include/uapi/asm-generic/ioctls.h; `struct winsize` of include/uapi/asm-generic/termios.h: four u16. */
const TIOCGWINSZ = 0x5413;
const WINSIZE_BYTES = 8;
const COLUMNS_AT = 2;
/** What a terminal that does not know its size is taken for. */
const USUAL_COLUMNS = 80;

/** Width in characters of the terminal that `fd` is; null when it is none. */
export function terminalColumns(fd: number): number | null {
  const size = new Uint8Array(WINSIZE_BYTES);
  if (invoke((c) => c.ioctl(fd, TIOCGWINSZ, size)) < 0) return null;
  return new DataView(size.buffer).getUint16(COLUMNS_AT, true) || USUAL_COLUMNS;
}

const NEWLINE = 10;
/** Longer lines are cut here: nobody types that much. */
const LONGEST_LINE = 4096;

/**
 * The next line without its end; null at the end of the input. Blocks the thread. Takes byte by byte, so that what
 * comes after the line is left for whoever reads next.
 *
 * @throws SyscallError
 */
export function readLine(fd: number): string | null {
  const bytes: number[] = [];
  const one = new Uint8Array(1);
  while (bytes.length < LONGEST_LINE) {
    const count = invoke((c) => c.read(fd, one, 1));
    if (count < 0) throw new SyscallError({ syscall: "read", object: "stdin", errno: -count });
    const byte = one[0] ?? NEWLINE;
    if (count === 0 && bytes.length === 0) return null;
    if (count === 0 || byte === NEWLINE) break;
    bytes.push(byte);
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}

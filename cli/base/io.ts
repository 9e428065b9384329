/** Where the command line reads from and writes to: passed in, so that tests play the terminal. */

import { SyscallError } from "../../lib/linux/calls/errno.ts";
import { writeAll } from "../../lib/linux/files/stdio.ts";
import { readLine, terminalColumns } from "../../lib/linux/files/terminal.ts";
import type { Connections } from "./service.ts";

export interface Io {
  /** Writes to stdout. Resolves when the text is out. */
  out(text: string): Promise<void>;
  err(text: string): Promise<void>;
  /** Width of the terminal in characters; null when stdout is none: nothing is cut then. */
  readonly columns: number | null;
  /** The next line of stdin without its end; null at the end of the input. Absent: there is no input. */
  readLine?(): Promise<string | null>;
  /** Absent: by HTTP over the sockets. */
  readonly connections?: Connections;
  /** Told what is waited for when it takes longer than a second. Absent: nobody watches. */
  onSlow?(what: string): void;
  /** True once nobody reads from stdout any more: what is still to come is for nobody. */
  readonly isReaderGone?: boolean;
}

const encoder = new TextEncoder();

/** The process's own, by system calls: the runtime's streams would take longer to load than most commands run. */
export function processIo(): Io {
  let isReaderGone = false;
  return {
    async out(text) {
      isReaderGone ||= !write(1, text);
    },
    err: async (text) => void write(2, text),
    get isReaderGone() {
      return isReaderGone;
    },
    get columns() {
      return terminalColumns(1);
    },
    readLine: async () => readLine(0),
    onSlow: tellWatcher,
  };
}

/** One line on stderr, when somebody watches. */
export function tellWatcher(what: string): void {
  if (terminalColumns(2) !== null) write(2, `${what} …\n`);
}

/** Returns whether somebody reads. */
function write(fd: number, text: string): boolean {
  try {
    writeAll(fd, encoder.encode(text));
    return true;
  } catch (error) {
    // Whoever read has read enough (`| head`): not an error of ours.
    if (error instanceof SyscallError && error.errnoName === "EPIPE") return false;
    throw error;
  }
}

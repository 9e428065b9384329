/** Where the command line reads from and writes to: passed in, so that tests play the terminal. */

import { SyscallError } from "../lib/linux/errno.ts";
import { writeAll } from "../lib/linux/stdio.ts";
import { readLine, terminalColumns } from "../lib/linux/terminal.ts";
import type { Connections } from "./service.ts";
import { directConnections } from "./service-direct.ts";

export interface Io {
  /** Writes to stdout. Resolves when the text is out. */
  out(text: string): Promise<void>;
  err(text: string): Promise<void>;
  /** Width of the terminal in characters; null when stdout is none: nothing is cut then. */
  readonly columns: number | null;
  /** The next line of stdin without its end; null at the end of the input. Absent: there is no input. */
  readLine?(): Promise<string | null>;
  /** Absent: over HTTP of the runtime. */
  readonly connections?: Connections;
}

const encoder = new TextEncoder();

/** The process's own, by system calls: the runtime's streams would take longer to load than most commands run. */
export function processIo(): Io {
  return {
    out: async (text) => write(1, text),
    err: async (text) => write(2, text),
    get columns() {
      return terminalColumns(1);
    },
    readLine: async () => readLine(0),
    connections: directConnections(tellWatcher),
  };
}

/** One line on stderr, when somebody watches. */
export function tellWatcher(what: string): void {
  if (terminalColumns(2) !== null) write(2, `${what} …\n`);
}

function write(fd: number, text: string): void {
  try {
    writeAll(fd, encoder.encode(text));
  } catch (error) {
    // Whoever read has read enough (`| head`): not an error of ours.
    if (!(error instanceof SyscallError && error.errnoName === "EPIPE")) throw error;
  }
}

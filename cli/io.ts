/** Where the command line reads from and writes to: passed in, so that tests play the terminal. */
import { SyscallError } from "../lib/linux/errno.ts";
import { writeAll } from "../lib/linux/stdio.ts";
import { readLine, terminalColumns } from "../lib/linux/terminal.ts";

export interface Io {
  /** Writes to stdout. Resolves when the text is out. */
  out(text: string): Promise<void>;
  err(text: string): Promise<void>;
  /** Width of the terminal in characters; null when stdout is none: nothing is cut then. */
  readonly columns: number | null;
  /** True when stderr is a terminal: somebody watches. Absent: false. */
  readonly watched?: boolean;
  /** The next line of stdin without its end; null at the end of the input. Absent: there is no input. */
  readLine?(): Promise<string | null>;
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
    get watched() {
      return terminalColumns(2) !== null;
    },
    readLine: async () => readLine(0),
  };
}

function write(fd: number, text: string): void {
  try {
    writeAll(fd, encoder.encode(text));
  } catch (error) {
    // Whoever read has read enough (`| head`): not an error of ours.
    if (!(error instanceof SyscallError && error.errnoName === "EPIPE")) throw error;
  }
}

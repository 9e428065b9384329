/** Where the command line writes to: passed in, so that tests read it. */

export interface Io {
  /** Writes to stdout. Resolves when the text is out. */
  out(text: string): Promise<void>;
  err(text: string): Promise<void>;
  /** Width of the terminal in characters; null when stdout is none: nothing is cut then. */
  readonly columns: number | null;
}

export function processIo(): Io {
  return {
    out: (text) => write(process.stdout, text),
    err: (text) => write(process.stderr, text),
    columns: process.stdout.isTTY ? process.stdout.columns : null,
  };
}

/** A process that ends before its pipe has taken everything loses the rest: every write is waited for. */
function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      // Whoever read has read enough (`| head`): not an error of ours.
      if (!error || (error as NodeJS.ErrnoException).code === "EPIPE") resolve();
      else reject(error);
    });
  });
}

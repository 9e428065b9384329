/**
 * The command line and the daemons without the plugins: `node cli/run.ts server …`, for Node 22.18 or newer.
 *
 * The executable's own entry is main.ts, which also holds the plugins; those need Bun, as do the commands that talk
 * to the kernel.
 */
import { writeSync } from "node:fs";
import { main } from "./main.ts";

const status = await main(process.argv.slice(2), {
  out: async (text) => write(1, text),
  err: async (text) => write(2, text),
  columns: process.stdout.isTTY ? process.stdout.columns : null,
});
process.exit(status);

function write(fd: number, text: string): void {
  try {
    writeSync(fd, text);
  } catch (error) {
    // Whoever read has read enough (`| head`): not an error of ours.
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
  }
}

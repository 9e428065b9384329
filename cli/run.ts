/**
 * The command line and the daemons without the plugins, on Node. What talks to the kernel, as the server does for the host's
 * routes, needs Node 26 with `--experimental-ffi` and a stand-in for `bun:ffi` (lib/linux/calls/ffi.ts).
 *
 * The executable's own entry is main.ts, which also holds the plugins.
 */
import { writeSync } from "node:fs";
import { main } from "./main.ts";

let isReaderGone = false;
const status = await main(process.argv.slice(2), {
  async out(text) {
    isReaderGone ||= !write(1, text);
  },
  err: async (text) => void write(2, text),
  get isReaderGone() {
    return isReaderGone;
  },
  columns: process.stdout.isTTY ? process.stdout.columns : null,
});
process.exit(status);

/** Returns whether somebody reads. */
function write(fd: number, text: string): boolean {
  try {
    writeSync(fd, text);
    return true;
  } catch (error) {
    // Whoever read has read enough (`| head`): not an error of ours.
    if ((error as NodeJS.ErrnoException).code === "EPIPE") return false;
    throw error;
  }
}

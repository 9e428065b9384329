/** The command line on the process's own terminal, pipes and files: what the executable starts. */
import { processIo } from "./base/io.ts";
import { main } from "./main.ts";

/** Returns the exit status; never throws. */
export function run(argv: readonly string[]): Promise<number> {
  return main(argv, processIo());
}

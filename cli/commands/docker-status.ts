/** Docker's exit status: 1 for everything that fails, whatever the reason. */
import { asFairleadError } from "../../lib/errors.ts";
import type { Io } from "../base/io.ts";
import { errorLine } from "../output/error-line.ts";

/** Runs `body`; says on stderr what went wrong. Returns the exit status. */
export async function dockerStatus(io: Io, body: () => Promise<void>): Promise<number> {
  try {
    await body();
    return 0;
  } catch (thrown) {
    const error = asFairleadError(thrown, "run command");
    await io.err(errorLine(error.message));
    if (thrown !== error && thrown instanceof Error) await io.err(`${thrown.stack}\n`);
    return 1;
  }
}

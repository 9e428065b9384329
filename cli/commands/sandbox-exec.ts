/** What `fairlead sandbox exec` does. Writes nothing itself: the terminal belongs to the command. */
import type { Io } from "../base/io.ts";
import { becomeProgram, enterSandbox, findProgram, NOT_FOUND_STATUS } from "../sandbox/enter.ts";
import { SandboxRegistry } from "../sandbox/registry.ts";
import { requireSandbox } from "../sandbox/require.ts";
import { dockerStatus } from "./docker-status.ts";
import type { ExecInput } from "./sandbox-options.ts";

export async function runExec(
  { args: [reference = "", ...words], options }: ExecInput,
  io: Io,
): Promise<number> {
  // `exec NAME -- COMMAND` and `exec NAME COMMAND` are the same.
  const argv = words[0] === "--" ? words.slice(1) : words;
  const [word = ""] = argv;
  const registry = new SandboxRegistry(options["run-dir"]);
  let missing = 0;
  const failed = await dockerStatus(io, async () => {
    const record = requireSandbox(registry, reference);
    const program = findProgram(word, process.env["PATH"]);
    if (typeof program === "number") missing = program;
    else {
      enterSandbox(record, registry.files(record.id));
      missing = becomeProgram(program, argv);
    }
  });
  if (failed !== 0 || missing === 0) return failed;
  const reason = missing === NOT_FOUND_STATUS ? "there is no such command in PATH" : "it cannot be executed";
  await io.err(`fairlead: execute ${word || "nothing"}: ${reason}\n`);
  return missing;
}

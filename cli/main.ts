/**
 * The command line: `fairlead COMMAND …`.
 *
 * Here are the commands and their options only; what a command does is loaded when it runs, so that
 * `fairlead ipam status` does not read the server.
 */
import { Command, CommanderError } from "commander";
import { asFairleadError } from "../lib/errors.ts";
import { addAgentCommand } from "./commands/agent.ts";
import { addDevCommand } from "./commands/dev.ts";
import { addIpamCommands } from "./commands/ipam.ts";
import { addServerCommand } from "./commands/server.ts";
import { addVersionCommand } from "./commands/version.ts";
import { type Io, processIo } from "./io.ts";
import type { Outcome } from "./outcome.ts";

/** Exit status for a command line that makes no sense. */
const USAGE_STATUS = 2;

/** Runs the command line `argv` (without the program's name). Returns the exit status; never throws. */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  const outcome: Outcome = { status: 0 };
  const said: Promise<void>[] = [];
  const usage: string[] = [];
  const program = newProgram(io, said, usage);
  addDevCommand(program, io, outcome);
  addServerCommand(program, io, outcome);
  addAgentCommand(program, io, outcome);
  addIpamCommands(program, io, outcome);
  addVersionCommand(program, io);
  try {
    await program.parseAsync(asCommandLine(argv), { from: "user" });
  } catch (thrown) {
    outcome.status = await report(thrown, usage.join(""), io);
  }
  await Promise.all(said);
  return outcome.status;
}

/** `fairlead` alone asks for help; `fairlead help ipam leases` is `fairlead ipam leases --help`. */
function asCommandLine(argv: readonly string[]): string[] {
  const [first = "help", ...rest] = argv;
  return first === "help" ? [...rest, "--help"] : [...argv];
}

/** `said` takes what is being written to stdout, `usage` what the parser would write to stderr. */
function newProgram(io: Io, said: Promise<void>[], usage: string[]): Command {
  return new Command("fairlead")
    .description("Docker's network model for any CNI runtime.")
    .usage("COMMAND [OPTIONS]")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [COMMAND...]", "show the help of a command")
    .configureHelp({ sortSubcommands: false, sortOptions: false })
    .configureOutput({
      writeOut: (text) => void said.push(io.out(text)),
      writeErr: (text) => void usage.push(text),
      getOutHelpWidth: () => io.columns ?? 100,
    })
    .exitOverride()
    .showSuggestionAfterError(true)
    .addHelpText(
      "after",
      `
Examples:
  fairlead dev                       start everything on this machine, without configuration
  fairlead ipam status               networks, and how full their pools are
  fairlead ipam history 10.77.0.5    who has had an address, and when

Exit status: 0 success, 2 wrong usage or input, 3 conflict, 4 not found, 5 the
service cannot be reached, 6 a pool or quota is used up, 7 not allowed, 1
anything else.`,
    );
}

/** Says what went wrong on stderr, and returns the exit status. */
async function report(thrown: unknown, usage: string, io: Io): Promise<number> {
  if (thrown instanceof CommanderError) return reportUsage(thrown, usage, io);
  const error = asFairleadError(thrown, "run command");
  await io.err(`fairlead: ${error.message}\n`);
  if (thrown !== error && thrown instanceof Error) await io.err(`${thrown.stack}\n`);
  return error.row.exit;
}

/** The parser's errors in the form of all others. */
async function reportUsage(error: CommanderError, usage: string, io: Io): Promise<number> {
  // Asking for help ends the parser by an "error" of status 0.
  if (error.exitCode === 0) return 0;
  // A group of commands without a command: its help says what there is.
  if (error.code === "commander.help") await io.err(usage);
  else {
    const text = error.message
      .replace(/^error: /, "")
      .replace(/\.?\s*\(Did you mean (?:one of )?(.*)\?\)/, "; did you mean $1?")
      .replace(/\.$/, "");
    await io.err(`fairlead: ${text}${text.endsWith("?") ? "" : "; see fairlead help"}\n`);
  }
  return USAGE_STATUS;
}

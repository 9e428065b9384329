/**
 * The command line: `fairlead COMMAND …`.
 *
 * Finds the command in the tree, loads it, reads its arguments by its description and runs it. Help, completion
 * and the texts of errors are loaded when they are needed: a command that works loads itself only.
 */
import { asFairleadError, type FairleadError } from "../lib/errors.ts";
import type { Io } from "./base/io.ts";
import { HelpWanted, parseCommandLine, UsageError } from "./base/parse.ts";
import { type CommandSpec, DEFAULT_USAGE_STATUS, type GroupSpec, type UsageStatus } from "./base/spec.ts";
import { errorLine } from "./output/error-line.ts";
import { TREE } from "./tree.ts";

const HELP_WORDS = new Set(["-h", "--help"]);

/** Runs the command line `argv` (without the program's name). Returns the exit status; never throws. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (thrown) {
    return report(thrown, io);
  }
}

/** Says on stderr what went wrong; a fault of ours with where. Returns the exit status. */
async function report(thrown: unknown, io: Io): Promise<number> {
  const error = asFairleadError(thrown, "run command");
  const hint = needsRoot(error) ? "; this needs root: run it with sudo" : "";
  await io.err(errorLine(`${error.message}${hint}`));
  if (thrown !== error && thrown instanceof Error) await io.err(`${thrown.stack}\n`);
  return error.row.exit;
}

/** Sockets, state and namespaces are root's: what the system refuses anybody else is no fault of theirs. */
function needsRoot({ code, details }: FairleadError): boolean {
  const refused = code === "permission-denied" || REFUSALS.has(String(details["errnoName"]));
  return refused && process.geteuid?.() !== 0;
}

const REFUSALS: ReadonlySet<string> = new Set(["EACCES", "EPERM"]);

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [word = "help", ...rest] = argv;
  const name = ALIASES[word] ?? word;
  const entry = TREE.find((candidate) => candidate.name === name);
  if (entry === undefined) return unknownCommand(word, io);
  const spec = await entry.load();
  if ("commands" in spec) return runGroup(spec, rest, io);
  return runCommand({ spec, path: `fairlead ${spec.name}`, usage: DEFAULT_USAGE_STATUS }, rest, io);
}

const ALIASES: Readonly<Record<string, string>> = {
  "-h": "help",
  "--help": "help",
  "-v": "version",
  "--version": "version",
};

async function runGroup(group: GroupSpec, argv: readonly string[], io: Io): Promise<number> {
  const [word, ...rest] = argv;
  const path = `fairlead ${group.name}`;
  const usage = group.usage ?? DEFAULT_USAGE_STATUS;
  const spec = group.commands.find(({ name, aliases = [] }) => word === name || aliases.includes(word ?? ""));
  if (spec !== undefined) return runCommand({ spec, path: `${path} ${spec.name}`, usage }, rest, io);
  const { formatHelp } = await import("./help/text.ts");
  if (word === undefined) {
    await io.err(formatHelp(group, path, io.columns));
    return usage.none;
  }
  if (HELP_WORDS.has(word)) {
    await io.out(formatHelp(group, path, io.columns));
    return 0;
  }
  const { misspelled } = await import("./help/misspelled.ts");
  await io.err(misspelled(word, path, group.commands));
  return word.startsWith("-") ? usage.option : usage.arguments;
}

interface Called {
  readonly spec: CommandSpec;
  /** The words that called it: `fairlead network create`. */
  readonly path: string;
  readonly usage: UsageStatus;
}

async function runCommand({ spec, path, usage }: Called, argv: readonly string[], io: Io): Promise<number> {
  try {
    return await spec.run(parseCommandLine(spec, argv, path), io);
  } catch (thrown) {
    if (!(thrown instanceof HelpWanted || thrown instanceof UsageError)) {
      const status = await report(thrown, io);
      return usage.failure ?? status;
    }
    const { formatHelp, formatUsage } = await import("./help/text.ts");
    if (thrown instanceof HelpWanted) {
      await io.out(formatHelp(spec, path, io.columns));
      return 0;
    }
    const shape = thrown.part === "arguments" ? `\n${formatUsage(spec, path)}` : "";
    await io.err(`${errorLine(thrown.message)}See '${path} --help'.\n${shape}`);
    return usage[thrown.part];
  }
}

async function unknownCommand(word: string, io: Io): Promise<number> {
  const { misspelled } = await import("./help/misspelled.ts");
  await io.err(misspelled(word, "fairlead", TREE));
  return word.startsWith("-") ? DEFAULT_USAGE_STATUS.option : DEFAULT_USAGE_STATUS.arguments;
}

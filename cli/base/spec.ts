/**
 * What a command of the command line is made of.
 *
 * One description is read by everything: the parser (parse.ts), the help and the manual pages (help/), and the shell
 * completion (completion/). A command that is described here needs nothing else to have all of them.
 */
import type { Io } from "./io.ts";

/** What a shell offers for a value: words, files, or names that the service or the node knows. */
export type Completion =
  | "none"
  | "file"
  | "directory"
  | "network"
  | "container"
  | "sandbox"
  | "command"
  | readonly string[];

interface AnyOption {
  /** One letter, without its dash. */
  readonly short?: string;
  /** One sentence without a full stop, for a column of the help. */
  readonly description: string;
  /** Placeholder of the value in the help. Default: "string". */
  readonly value?: string;
  readonly complete?: Completion;
  /** Accepted, but in no help and no completion. */
  readonly hidden?: boolean;
  /** Accepted, and no command can do anything with it; the description says so. */
  readonly idle?: boolean;
  /** Says what is wrong with a value, or null. */
  readonly check?: (value: string) => string | null;
}

/** On or off: `--internal`, `--internal=false`. */
export interface SwitchOption extends AnyOption {
  readonly kind: "switch";
  /** What it is when it is not given. Default: false. */
  readonly fallback?: boolean;
}

/** One value; given twice, the last one counts. Absent: `fallback`, or undefined where there is none. */
export interface TextOption extends AnyOption {
  readonly kind: "text";
  readonly fallback?: string;
  readonly choices?: readonly string[];
}

/** A whole number. */
export interface IntegerOption extends AnyOption {
  readonly kind: "integer";
}

/** May be given several times. */
export interface ListOption extends AnyOption {
  readonly kind: "list";
  /** True: `a,b` are two values. */
  readonly commas?: boolean;
}

/** `key=value`, may be given several times; `key` alone has an empty value. */
export interface MapOption extends AnyOption {
  readonly kind: "map";
}

export type OptionSpec = SwitchOption | TextOption | IntegerOption | ListOption | MapOption;

/** Options by their long names, without the dashes. */
export type Options = Readonly<Record<string, OptionSpec>>;

type OptionValue<O extends OptionSpec> = O extends { kind: "switch" }
  ? boolean
  : O extends { kind: "list" }
    ? readonly string[]
    : O extends { kind: "map" }
      ? Readonly<Record<string, string>>
      : O extends { kind: "integer" }
        ? number | undefined
        : O extends { fallback: string }
          ? string
          : string | undefined;

export type OptionValues<O extends Options> = { readonly [K in keyof O]: OptionValue<O[K]> };

export interface ArgumentSpec {
  /** In capitals, as the usage line shows it: `NETWORK`. */
  readonly name: string;
  readonly description?: string;
  readonly optional?: boolean;
  /** Takes all that is left; the last argument only. */
  readonly several?: boolean;
  readonly complete?: Completion;
}

export interface Example {
  /** What it does, as a sentence without a full stop. */
  readonly text: string;
  /** The whole command line; several lines are several commands. */
  readonly command: string;
}

/** What the manual says beside options and arguments. */
export interface Manual {
  /** Paragraphs. A line that begins with two blanks stays as it is. */
  readonly description: string;
  readonly examples: readonly Example[];
  /** Exit statuses and their meanings; absent: those that all commands share. */
  readonly exitStatus?: readonly (readonly [status: number, meaning: string])[];
  /** `network create`, or a page of another program: `docker-network(1)`. */
  readonly seeAlso?: readonly string[];
}

/** What a command is given: its arguments and its options, checked. */
export interface Input<O extends Options> {
  readonly args: readonly string[];
  readonly options: OptionValues<O>;
}

interface AnyCommand {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** One sentence without a full stop. */
  readonly summary: string;
  readonly hidden?: boolean;
  readonly manual: Manual;
}

export interface CommandSpec extends AnyCommand {
  readonly arguments: readonly ArgumentSpec[];
  readonly options: Options;
  /** True: options end at the first argument, because the rest is somebody else's command line. */
  readonly passThrough?: boolean;
  /** How many arguments there must be, where options change that. Default: what `arguments` says. */
  argumentCount?(options: Input<Options>["options"]): number;
  /** Returns the exit status. What it throws is told on stderr. */
  run(input: Input<Options>, io: Io): Promise<number>;
}

export interface GroupSpec extends AnyCommand {
  readonly commands: readonly CommandSpec[];
  /** Exit statuses for a wrong command line; default: 2 for everything. */
  readonly usage?: UsageStatus;
}

/** One command or group as the program knows it before it is loaded. */
export interface TreeEntry {
  readonly name: string;
  readonly summary: string;
  readonly hidden?: boolean;
  load(): Promise<CommandSpec | GroupSpec>;
}

export interface UsageStatus {
  /** An option that there is not, or whose value makes no sense. */
  readonly option: number;
  /** Too few or too many arguments, or an unknown command of the group. */
  readonly arguments: number;
  /** The group without a command. */
  readonly none: number;
  /** Everything that fails. Default: by the error's code. */
  readonly failure?: number;
}

export const DEFAULT_USAGE_STATUS: UsageStatus = { option: 2, arguments: 2, none: 2 };

/** Checks that `run` takes the options that are described beside it. */
export function defineCommand<const O extends Options>(
  spec: Omit<CommandSpec, "options" | "run" | "argumentCount"> & {
    readonly options: O;
    argumentCount?(options: OptionValues<NoInfer<O>>): number;
    run(input: Input<NoInfer<O>>, io: Io): Promise<number>;
  },
): CommandSpec {
  // The parser fills in exactly the options that the spec describes.
  return spec as unknown as CommandSpec;
}

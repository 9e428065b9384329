/**
 * Structured logging for the long-running programs.
 *
 * Code that logs asks for a {@link Logger}; only a program's `main` makes one, with {@link createLogger}, and
 * decides where the lines go. CNI plugins do not log: their stdout and stderr belong to the runtime.
 */

import pino from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `json`: one object per line, for machines. `text`: `time LEVEL message key=value …`, for people. */
export const LOG_FORMATS = ["json", "text"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Facts beside the message; JSON values only, except `err`, which takes anything thrown. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Facts first, then a constant message: what varies belongs into the facts. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}

const ignore = (): void => {};

/** Drops everything: the default where no logger is given. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
};

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one finished line with its newline. Called synchronously, so no line is lost in a crash. */
  readonly write: (line: string) => void;
  /** Facts on every line of a `json` log. */
  readonly fields?: LogFields;
}

/**
 * Makes a logger over pino.
 *
 * pino's own transports run in worker threads that load files by name, which a compiled executable does not
 * have: hence the plain synchronous `write`.
 */
export function createLogger({ level, format, write, fields = {} }: LoggerOptions): Logger {
  const sink = format === "json" ? write : (line: string) => write(formatLogLine(line));
  return pino(
    {
      level,
      base: { ...fields },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err },
    },
    { write: sink },
  );
}

/** Turns one JSON log line into `10:11:12.345 INFO  message key=value …`. A line that is not JSON passes as it is. */
export function formatLogLine(line: string): string {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const { time, level, msg, err, ...facts } = record;
  const head = `${String(time).slice(11, 23)} ${String(level).toUpperCase().padEnd(5)} ${msg}`;
  const pairs = Object.entries(facts).map(([key, value]) => ` ${key}=${formatValue(value)}`);
  return `${head}${pairs.join("")}${formatThrown(err)}\n`;
}

function formatValue(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

function formatThrown(err: unknown): string {
  if (err === undefined) return "";
  const stack = (err as { stack?: unknown } | null)?.stack;
  const text = typeof stack === "string" ? stack : JSON.stringify(err);
  return `\n${text.replace(/^/gm, "    ")}`;
}

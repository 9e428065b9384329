/** What the commands that run daemons write: their log, and the keys of their configuration files. */
import { writeSync } from "node:fs";
import type { ConfigKeys } from "../../lib/daemon/config-file.ts";
import { createLogger, type LogFormat, type Logger, type LogLevel } from "../../lib/log.ts";
import type { Io } from "../base/io.ts";
import { formatTable } from "../output/table.ts";

/** Synchronous: a line that was logged is out, whatever happens next. */
export function stderrLogger(level: LogLevel, format: LogFormat): Logger {
  return createLogger({ level, format, write: writeStderr });
}

function writeStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads the log, or its pipe is full: the daemon goes on without this line.
  }
}

export async function showConfigKeys(keys: ConfigKeys, io: Io): Promise<number> {
  const rows = Object.entries(keys).map(([path, { type, fallback, description }]) => ({
    path,
    type,
    fallback,
    description,
  }));
  const table = formatTable(
    [
      { heading: "KEY", value: ({ path }) => path },
      { heading: "VALUE", value: ({ type }) => type },
      { heading: "DEFAULT", value: ({ fallback }) => fallback },
      { heading: "MEANING", value: ({ description }) => description },
    ],
    rows,
    null,
  );
  await io.out(`${table}\nA key with a dot is inside a section:\n\n  log:\n    level: debug\n`);
  return 0;
}

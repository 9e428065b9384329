/** What `fairlead server` and `fairlead dev` do. */
import { writeSync } from "node:fs";
import { resolve } from "node:path";
import {
  CONFIG_KEYS,
  loadConfig,
  parseConfig,
  type RunningServer,
  type ServerConfig,
  serve,
} from "../../ipam-server/main.ts";
import { createLogger, type LogFormat, type Logger, type LogLevel } from "../../lib/log.ts";
import type { Io } from "../io.ts";
import { formatTable } from "../output/table.ts";

export interface ServerOptions {
  /** Configuration file; absent: defaults. */
  readonly config?: string;
  /** Check the configuration only. */
  readonly check?: boolean;
}

export interface DevOptions {
  readonly socket?: string;
  readonly stateDir?: string;
}

export async function runServer({ config: file, check = false }: ServerOptions, io: Io): Promise<number> {
  const config = file === undefined ? parseConfig("", "defaults") : loadConfig(file);
  if (!check) return serve({ config, logger: stderrLogger(config.log.level, config.log.format) });
  await io.out(`${file ?? "the default configuration"} is valid\n`);
  return 0;
}

export async function runDev({ socket, stateDir }: DevOptions, io: Io): Promise<number> {
  const defaults = parseConfig("", "defaults");
  const given = {
    ...(socket !== undefined && { socket: resolve(socket) }),
    ...(stateDir !== undefined && { stateDir: resolve(stateDir) }),
  };
  // Through the parser, so that the same rules hold for flags and files.
  const config = parseConfig(JSON.stringify(given), "flags");
  const logger = stderrLogger("info", "text");
  return serve({ config, logger, onReady: (server) => void io.out(welcome(config, defaults, server)) });
}

/** Says where things are and what to try next. */
function welcome(config: ServerConfig, defaults: ServerConfig, { listening }: RunningServer): string {
  const flag = config.socket === defaults.socket ? "" : ` --socket ${config.socket}`;
  return `
Fairlead runs on this machine.

  socket  ${listening.socket}
  state   ${config.stateDir}

Next, in another terminal:
  fairlead ipam status${flag}

Ctrl-C ends it.

`;
}

/** Synchronous: a line that was logged is out, whatever happens next. */
function stderrLogger(level: LogLevel, format: LogFormat): Logger {
  return createLogger({ level, format, write: writeStderr });
}

function writeStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads the log, or its pipe is full: the server goes on without this line.
  }
}

export async function showConfigKeys(io: Io): Promise<number> {
  const rows = Object.entries(CONFIG_KEYS).map(([path, { type, fallback, description }]) => ({
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

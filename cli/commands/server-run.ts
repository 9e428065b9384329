/** What `fairlead server` does. */
import { CONFIG_KEYS, loadConfig, parseConfig, serve } from "../../ipam-server/main.ts";
import type { Io } from "../base/io.ts";
import { readHostPrefixes } from "../node/host-prefixes.ts";
import { showConfigKeys, stderrLogger } from "./daemon-output.ts";

export interface ServerOptions {
  /** Configuration file; absent: defaults. */
  readonly config?: string;
  /** Check the configuration only. */
  readonly check?: boolean;
}

export async function runServer({ config: file, check = false }: ServerOptions, io: Io): Promise<number> {
  const config = file === undefined ? parseConfig("", "defaults") : loadConfig(file);
  const logger = stderrLogger(config.log.level, config.log.format);
  if (!check) return serve({ config, logger, hostPrefixes: readHostPrefixes });
  await io.out(`${file ?? "the default configuration"} is valid\n`);
  return 0;
}

export function showServerKeys(io: Io): Promise<number> {
  return showConfigKeys(CONFIG_KEYS, io);
}

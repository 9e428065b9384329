/** What `fairlead agent` does. */
import { CONFIG_KEYS, loadAgentConfig, parseAgentConfig, serveAgent } from "../../agent/main.ts";
import type { Io } from "../base/io.ts";
import { showConfigKeys, stderrLogger } from "./daemon-output.ts";

export interface AgentOptions {
  /** Configuration file; absent: defaults. */
  readonly config?: string;
  /** Check the configuration only. */
  readonly check?: boolean;
}

export async function runAgent({ config: file, check = false }: AgentOptions, io: Io): Promise<number> {
  const config = file === undefined ? parseAgentConfig("", "defaults") : loadAgentConfig(file);
  if (!check) return serveAgent({ config, logger: stderrLogger(config.log.level, config.log.format) });
  await io.out(`${file ?? "the default configuration"} is valid\n`);
  return 0;
}

export function showAgentKeys(io: Io): Promise<number> {
  return showConfigKeys(CONFIG_KEYS, io);
}

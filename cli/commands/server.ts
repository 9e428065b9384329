/** `fairlead server`: the IPAM server. */
import type { Command } from "commander";
import type { Io } from "../io.ts";
import type { Outcome } from "../outcome.ts";
import type { ServerOptions } from "./server-run.ts";

export function addServerCommand(program: Command, io: Io, outcome: Outcome): void {
  program
    .command("server")
    .description("run the IPAM server")
    .option("--config <file>", "YAML file; without it every key has its default")
    .option("--check", "check the configuration, then end")
    .addHelpText(
      "after",
      `
Logs to stderr, one JSON object per line. SIGTERM or SIGINT ends it: calls under
way are finished, for at most ten seconds. Exit status 0 after that, 1 when
something was cut off.

Keys of the configuration file, with their defaults: see \`fairlead server
--help-config\`.

Examples:
  fairlead server --config /etc/fairlead/server.yaml
  fairlead server --config /etc/fairlead/server.yaml --check`,
    )
    .option("--help-config", "show every key of the configuration file")
    .action(async (options: ServerOptions & { helpConfig?: boolean }) => {
      const { runServer, showServerKeys } = await import("./server-run.ts");
      outcome.status = await (options.helpConfig ? showServerKeys(io) : runServer(options, io));
    });
}

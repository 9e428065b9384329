/** `fairlead server` and `fairlead dev`: the daemon, configured and unconfigured. */
import type { Command } from "commander";
import type { Io } from "../io.ts";
import type { Outcome } from "../outcome.ts";
import type { DevOptions, ServerOptions } from "./server-run.ts";

export function addServerCommands(program: Command, io: Io, outcome: Outcome): void {
  addDev(program, io, outcome);
  addServer(program, io, outcome);
}

function addDev(program: Command, io: Io, outcome: Outcome): void {
  program
    .command("dev")
    .description("run everything that one machine needs, without configuration")
    .option("--socket <path>", "socket for plugins and the CLI (default: /run/fairlead/fairlead.sock)")
    .option("--state-dir <path>", "directory of the store (default: /var/lib/fairlead)")
    .addHelpText(
      "after",
      `
Runs in the foreground and logs for people; Ctrl-C ends it. Leases outlive it:
the next start, of \`fairlead dev\` or of \`fairlead server\`, goes on with
them.

Examples:
  fairlead dev
  fairlead dev --socket /tmp/fl/fairlead.sock --state-dir /tmp/fl/state`,
    )
    .action(async (options: DevOptions) => {
      const { runDev } = await import("./server-run.ts");
      outcome.status = await runDev(options, io);
    });
}

function addServer(program: Command, io: Io, outcome: Outcome): void {
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
      const { runServer, showConfigKeys } = await import("./server-run.ts");
      outcome.status = await (options.helpConfig ? showConfigKeys(io) : runServer(options, io));
    });
}

/** `fairlead dev`: everything that one machine needs, without configuration. */
import type { Command } from "commander";
import type { Io } from "../io.ts";
import type { Outcome } from "../outcome.ts";
import type { DevOptions } from "./dev-run.ts";

export function addDevCommand(program: Command, io: Io, outcome: Outcome): void {
  program
    .command("dev")
    .description("run everything that one machine needs, without configuration")
    .option("--socket <path>", "socket for plugins and the CLI (default: /run/fairlead/fairlead.sock)")
    .option("--state-dir <path>", "directory of the store (default: /var/lib/fairlead)")
    .option("--cni-conf-dir <path>", "where conflists are written to (default: /etc/cni/net.d)")
    .option("--agent-socket <path>", "socket of the agent (default: agent.sock beside --socket)")
    .addHelpText(
      "after",
      `
Server and agent in one process. Runs in the foreground and logs for people;
Ctrl-C ends it. Networks, leases and containers outlive it: the next start, of
\`fairlead dev\` or of \`fairlead server\` and \`fairlead agent\`, goes on with
them.

Examples:
  fairlead dev
  fairlead dev --socket /tmp/fl/fairlead.sock --state-dir /tmp/fl/state \\
      --cni-conf-dir /tmp/fl/net.d`,
    )
    .action(async (options: DevOptions) => {
      const { runDev } = await import("./dev-run.ts");
      outcome.status = await runDev(options, io);
    });
}

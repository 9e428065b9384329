/** `fairlead agent`: what keeps a node equal to the service's state. */
import type { Command } from "commander";
import type { Io } from "../io.ts";
import type { Outcome } from "../outcome.ts";
import type { AgentOptions } from "./agent-run.ts";

export function addAgentCommand(program: Command, io: Io, outcome: Outcome): void {
  program
    .command("agent")
    .description("run the agent of this node")
    .option("--config <file>", "YAML file; without it every key has its default")
    .option("--check", "check the configuration, then end")
    .option("--help-config", "show every key of the configuration file")
    .addHelpText(
      "after",
      `
Writes a conflist for each network of the service, keeps the networks' bridges
and firewall rules, and answers names. The service need not be there yet: the
agent waits for it, and what it made stays while either is away.

Logs to stderr, one JSON object per line. SIGTERM or SIGINT ends it; networks
and containers stay as they are.

Examples:
  fairlead agent --config /etc/fairlead/agent.yaml
  fairlead agent --config /etc/fairlead/agent.yaml --check`,
    )
    .action(async (options: AgentOptions & { helpConfig?: boolean }) => {
      const { runAgent, showAgentKeys } = await import("./agent-run.ts");
      outcome.status = await (options.helpConfig ? showAgentKeys(io) : runAgent(options, io));
    });
}

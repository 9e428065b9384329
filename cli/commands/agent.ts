/** `fairlead agent`: what keeps a node equal to the service's state. */
import { defineCommand } from "../spec.ts";

export const agent = defineCommand({
  name: "agent",
  summary: "Run the agent of this node",
  arguments: [],
  options: {
    config: {
      kind: "text",
      value: "file",
      complete: "file",
      description: "YAML file; without it every key has its default",
    },
    check: { kind: "switch", description: "Check the configuration, then end" },
    "help-config": { kind: "switch", description: "Show every key of the configuration file" },
  },
  manual: {
    description: `
Writes a conflist for each network of the service, keeps the networks' bridges and firewall rules, and answers names. The service need
not be there yet: the agent waits for it, and what it made stays while either is away.

Logs to stderr, one JSON object per line. SIGTERM or SIGINT ends it; networks and containers stay as they are.

Keys of the configuration file, with their defaults: see \`fairlead agent --help-config\`.`,
    examples: [
      { text: "As the systemd unit runs it", command: "fairlead agent --config /etc/fairlead/agent.yaml" },
      {
        text: "Check a configuration before a restart",
        command: "fairlead agent --config /etc/fairlead/agent.yaml --check",
      },
    ],
    exitStatus: [
      [0, "Ended on request, or the configuration is valid."],
      [1, "Something was cut off at the end, or the agent could not start."],
      [2, "The configuration or the command line is wrong."],
    ],
    seeAlso: ["dev", "server", "network"],
  },
  run: async ({ options }, io) => {
    const { runAgent, showAgentKeys } = await import("./agent-run.ts");
    if (options["help-config"]) return showAgentKeys(io);
    const { config, check } = options;
    return runAgent({ ...(config !== undefined && { config }), check }, io);
  },
});

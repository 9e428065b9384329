/** `fairlead agent`: what keeps a node equal to the service's state. */
import { UsageError } from "../base/parse.ts";
import { defineCommand } from "../base/spec.ts";

/** @throws UsageError for options that mean nothing beside each other. */
function refuseTogether(given: {
  readonly status: boolean;
  readonly check: boolean;
  readonly json: boolean;
  readonly "help-config": boolean;
  readonly "remove-rules": boolean;
}): void {
  const modes = (["status", "check", "help-config", "remove-rules"] as const).filter((name) => given[name]);
  if (modes.length > 1)
    throw new UsageError("option", `conflicting options: --${modes.join(" and --")}; give one`);
  if (given.json && !given.status) throw new UsageError("option", "--json is for --status");
}

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
    status: { kind: "switch", description: "Ask the agent that runs what it has to complain about" },
    "remove-rules": {
      kind: "switch",
      description: "Take Fairlead's rules out of firewalls of others, then end",
    },
    json: { kind: "switch", description: "With --status: as JSON, nothing cut" },
  },
  manual: {
    description: `
Writes a conflist for each network of the service, keeps the networks' bridges and firewall rules, and answers names. The service need
not be there yet: the agent waits for it, and what it made stays while either is away.

Logs to stderr, one JSON object per line. SIGTERM or SIGINT ends it; networks and containers stay as they are.

With --status it runs nothing, but asks the agent that listens where the configuration says: what its parts have to complain
about, whether the service is there, and whether somebody else's firewall drops what containers need.

With --remove-rules it takes out what an agent put into firewalls of others (firewall.accept), as when Fairlead is uninstalled. An agent that
runs puts it back.

Keys of the configuration file, with their defaults: see \`fairlead agent --help-config\`.`,
    examples: [
      { text: "As the systemd unit runs it", command: "fairlead agent --config /etc/fairlead/agent.yaml" },
      {
        text: "Check a configuration before a restart",
        command: "fairlead agent --config /etc/fairlead/agent.yaml --check",
      },
      { text: "See whether all is well on this node", command: "fairlead agent --status" },
    ],
    exitStatus: [
      [0, "Ended on request, or the configuration is valid."],
      [
        1,
        "Something was cut off at the end, or the agent could not start. With --status: something does not work.",
      ],
      [2, "The configuration or the command line is wrong."],
      [5, "With --status: no agent runs."],
    ],
    seeAlso: ["dev", "server", "network"],
  },
  run: async ({ options }, io) => {
    const { config, check, json, status } = options;
    refuseTogether(options);
    if (options["remove-rules"]) return (await import("./agent-remove-rules.ts")).removeRules(io);
    const given = { ...(config !== undefined && { config }), check };
    if (status) return (await import("./agent-status.ts")).showAgentStatus(given, { json }, io);
    const { runAgent, showAgentKeys } = await import("./agent-run.ts");
    return options["help-config"] ? showAgentKeys(io) : runAgent(given, io);
  },
});

/** `fairlead server`: the IPAM server. */
import { defineCommand } from "../base/spec.ts";

export const server = defineCommand({
  name: "server",
  summary: "Run the IPAM server",
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
Logs to stderr, one JSON object per line. SIGTERM or SIGINT ends it: calls under way are finished, for at most ten seconds.

Keys of the configuration file, with their defaults: see \`fairlead server --help-config\`.`,
    examples: [
      { text: "As the systemd unit runs it", command: "fairlead server --config /etc/fairlead/server.yaml" },
      {
        text: "Check a configuration before a restart",
        command: "fairlead server --config /etc/fairlead/server.yaml --check",
      },
    ],
    exitStatus: [
      [0, "Ended on request, or the configuration is valid."],
      [1, "Something was cut off at the end, or the server could not start."],
      [2, "The configuration or the command line is wrong."],
    ],
    seeAlso: ["dev", "agent", "ipam"],
  },
  run: async ({ options }, io) => {
    const { runServer, showServerKeys } = await import("./server-run.ts");
    if (options["help-config"]) return showServerKeys(io);
    const { config, check } = options;
    return runServer({ ...(config !== undefined && { config }), check }, io);
  },
});

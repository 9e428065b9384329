/** `fairlead dev`: everything that one machine needs, without configuration. */
import { defineCommand } from "../base/spec.ts";

export const dev = defineCommand({
  name: "dev",
  summary: "Run everything that one machine needs, without configuration",
  arguments: [],
  options: {
    socket: {
      kind: "text",
      value: "path",
      complete: "file",
      description: "Socket for plugins and the CLI (default: /run/fairlead/fairlead.sock)",
    },
    "state-dir": {
      kind: "text",
      value: "dir",
      complete: "directory",
      description: "Directory of the store (default: /var/lib/fairlead)",
    },
    "cni-conf-dir": {
      kind: "text",
      value: "dir",
      complete: "directory",
      description: "Where conflists are written to (default: /etc/cni/net.d)",
    },
    "cni-cache-dir": {
      kind: "text",
      value: "dir",
      complete: "directory",
      hidden: true,
      description: "Where runtimes note what they attached (default: /var/lib/cni)",
    },
    "agent-socket": {
      kind: "text",
      value: "path",
      complete: "file",
      description: "Socket of the agent (default: agent.sock beside --socket)",
    },
  },
  manual: {
    description: `
Server and agent in one process. Runs in the foreground and logs for people; Ctrl-C ends it.

Networks, leases and containers outlive it: the next start, of \`fairlead dev\` or of \`fairlead server\` and \`fairlead agent\`,
goes on with them.`,
    examples: [
      { text: "Everything where it belongs", command: "fairlead dev" },
      {
        text: "A playground beside an installed service",
        command:
          "fairlead dev --socket /tmp/fl/fairlead.sock --state-dir /tmp/fl/state --cni-conf-dir /tmp/fl/net.d",
      },
    ],
    seeAlso: ["server", "agent", "network"],
  },
  run: async ({ options }, io) => {
    const { runDev } = await import("./dev-run.ts");
    const {
      socket,
      "state-dir": stateDir,
      "cni-conf-dir": cniConfDir,
      "cni-cache-dir": cniCacheDir,
      "agent-socket": agentSocket,
    } = options;
    const given = {
      ...(socket !== undefined && { socket }),
      ...(stateDir !== undefined && { stateDir }),
      ...(cniConfDir !== undefined && { cniConfDir }),
      ...(cniCacheDir !== undefined && { cniCacheDir }),
      ...(agentSocket !== undefined && { agentSocket }),
    };
    return runDev(given, io);
  },
});

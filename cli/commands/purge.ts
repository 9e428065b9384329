/** `fairlead purge`: takes away what Fairlead made on this machine, for those who uninstall it. */
import { defineCommand } from "../base/spec.ts";
import { PURGE_OPTIONS } from "./purge-options.ts";

export const purge = defineCommand({
  name: "purge",
  summary: "Remove all that Fairlead made on this machine",
  arguments: [],
  options: PURGE_OPTIONS,
  manual: {
    description: `
Removes sandboxes, the host's ends of containers' interfaces, bridges that Fairlead made, its tables of nftables (inet fairlead and bridge
fairlead), and puts back the settings of the kernel that it changed since the machine was started.

Containers lose their interfaces. Bridges of somebody else stay, and so do the leases: their directory, /var/lib/fairlead, is yours to
remove. Server and agent must have ended before, because they would make everything again.

\`./build.sh uninstall --purge\` runs it.`,
    examples: [
      { text: "See what there is", command: "fairlead purge --dry-run" },
      { text: "Without a question", command: "fairlead purge --force" },
    ],
    exitStatus: [
      [0, "Nothing of it is left, or you did not confirm."],
      [3, "A server or an agent runs."],
    ],
    seeAlso: ["sandbox", "network", "agent"],
  },
  run: async (input, io) => (await import("./purge-run.ts")).runPurge(input, io),
});

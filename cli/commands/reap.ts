/** `fairlead reap`: what the agent runs to detach containers that are gone. Nobody types it. */

import { defineCommand } from "../base/spec.ts";
import { NODE_OPTIONS } from "../node/options.ts";
import { COMMON_OPTIONS } from "./common-options.ts";

const { socket } = COMMON_OPTIONS;

export const reap = defineCommand({
  name: "reap",
  summary: "Detach containers that are gone",
  hidden: true,
  arguments: [
    { name: "FILE", description: "Entry of the cache of results", several: true, complete: "file" },
  ],
  options: { socket, ...NODE_OPTIONS },
  manual: {
    description: `
Run by the agent. Each container is looked for once more, and left alone when it is there.`,
    examples: [{ text: "One attachment", command: "fairlead reap /var/lib/cni/results/web-0123-eth1" }],
  },
  run: async (input, io) => (await import("./reap-run.ts")).runReap(input, io),
});

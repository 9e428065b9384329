/** `fairlead ipam recover`. */

import { defineCommand } from "../base/spec.ts";
import { NODE_OPTIONS } from "../node/options.ts";
import { COMMON_OPTIONS } from "./common-options.ts";

const { "cni-conf-dir": confDirectory, "cni-cache-dir": cacheDirectory } = NODE_OPTIONS;

export const recover = defineCommand({
  name: "recover",
  summary: "Tell the service what is attached to this node, after its store was put back",
  arguments: [],
  options: { ...COMMON_OPTIONS, "cni-conf-dir": confDirectory, "cni-cache-dir": cacheDirectory },
  manual: {
    description: `
A service whose store is another, or an older one, than this boot of the machine has seen grants nothing until it has been told
what is attached. The agent does that by itself; this is for nodes without one, and to see what comes of it. Links, caches of
results and conflists of this node are looked at. What the service does not know is bound again; an address whose holder cannot be
told is quarantined. What came back with the store and is gone for certain, by the evidence of \`ipam release\`, is released; what cannot be
told keeps its address. Asked while there is nothing to recover it releases nothing, does the rest, and usually finds nothing to do.`,
    examples: [
      { text: "After a backup was put back, where no agent runs", command: "fairlead ipam recover" },
    ],
    exitStatus: [
      [0, "Everything that is attached is known."],
      [1, "Something could not be put right; it is named."],
      [5, "The service cannot be reached, or did not answer in time."],
    ],
    seeAlso: ["ipam check", "ipam status"],
  },
  run: async ({ options }, io) => {
    const { runRecover } = await import("./ipam-recover-run.ts");
    const { socket, json } = options;
    const places = { confDirectory: options["cni-conf-dir"], cacheDirectory: options["cni-cache-dir"] };
    return runRecover({ socket, json, ...places }, io);
  },
});

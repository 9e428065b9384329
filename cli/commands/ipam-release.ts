/** `fairlead ipam release`. */

import { defineCommand } from "../base/spec.ts";
import { NODE_OPTIONS } from "../node/options.ts";
import { COMMON_OPTIONS } from "./common-options.ts";

const { "cni-conf-dir": confDirectory, "cni-cache-dir": cacheDirectory } = NODE_OPTIONS;

export const release = defineCommand({
  name: "release",
  summary: "Give back addresses whose holders are gone",
  arguments: [
    {
      name: "ADDRESS|CONTAINER",
      optional: true,
      complete: "container",
      description: "An address, or a container by ID, the beginning of one, or name",
    },
  ],
  options: {
    ...COMMON_OPTIONS,
    "cni-conf-dir": confDirectory,
    "cni-cache-dir": cacheDirectory,
    network: { kind: "text", value: "name", complete: "network", description: "Only on this network" },
    node: {
      kind: "text",
      value: "name",
      description: "With --stale: another name that this node went by in its present boot",
    },
    stale: {
      kind: "switch",
      description: "All of this node whose holders are gone for certain; lists them unless --yes",
    },
    yes: { kind: "switch", short: "y", description: "With --stale: release what is listed" },
    force: {
      kind: "switch",
      short: "f",
      description: "Also what has its link or namespace still, or is of another node",
    },
  },
  manual: {
    description: `
Runtimes release by themselves, and after a reboot the service does. This is for what a killed runtime, or somebody with \`ip link
del\`, left behind. Released addresses cool down.

A holder is gone for certain when the host end of its link is not on this host, or the network namespace that its runtime noted is
no more. What cannot be told counts as there, and so does an attachment for which an ADD or DEL is under way on this node. One that
is still there is refused without \`--force\`: its address would be granted to somebody else while it uses it.

Only leases of this node are judged: those under the name that its service has for it (\`nodeName\`). After a change of that name,
\`--node\` says the former one; of what is under it, only grants of this very boot of the machine are looked at.`,
    examples: [
      { text: "What nobody holds any more", command: "fairlead ipam release --stale" },
      { text: "Give that back", command: "fairlead ipam release --stale --yes" },
      { text: "One address", command: "fairlead ipam release 10.77.0.5" },
      {
        text: "All of a container on one network",
        command: "fairlead ipam release 3f2a91c07d11 --network web",
      },
    ],
    exitStatus: [
      [0, "Released, or nothing to release."],
      [3, "The holder is still there."],
      [4, "Nobody holds that."],
      [5, "The service cannot be reached, or did not answer in time."],
    ],
    seeAlso: ["ipam leases", "network disconnect"],
  },
  run: async ({ args: [what], options }, io) => {
    const { runRelease } = await import("./ipam-release-run.ts");
    const { socket, json, network, node, stale, yes, force } = options;
    const places = { confDirectory: options["cni-conf-dir"], cacheDirectory: options["cni-cache-dir"] };
    return runRelease({ what, socket, json, network, node, stale, yes, force, ...places }, io);
  },
});

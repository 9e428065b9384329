/** The plugins by their names, and the two ways of running them: in a process of their own, or in a resident worker. */

import { pluginIo } from "../io.ts";
import { main as ipam } from "../ipam/fairlead/main.ts";
import { main as staticAddresses } from "../ipam/static/main.ts";
import { main as bridge, mendingMain as bridgeMender } from "../main/bridge/main.ts";
import { main as loopback } from "../main/loopback/main.ts";
import { main as macvlan } from "../main/macvlan/main.ts";
import { main as portmap, mendingMain as portmapMender } from "../meta/portmap/main.ts";
import type { PluginName } from "../names.ts";
import type { PluginMain } from "../resident/invocation.ts";
import { runLinkReaper, runWorker } from "../resident/main.ts";
import { mendFromStdin } from "./mender.ts";
import { takeRemainsFromStdin } from "./remains.ts";

const PLUGINS: Readonly<Record<PluginName, PluginMain>> = {
  "fairlead-bridge": bridge,
  "fairlead-ipam": ipam,
  "fairlead-loopback": loopback,
  "fairlead-macvlan": macvlan,
  "fairlead-portmap": portmap,
  "fairlead-static": staticAddresses,
  loopback,
};

/** Runs the process's invocation. Returns the exit status; everything is written by then. */
export function runAsProcess(name: PluginName): number {
  return PLUGINS[name](pluginIo());
}

/** Serves invocations of all plugins until told to end. Returns the exit status. */
export function runAsWorker(): number {
  return runWorker(new Map(Object.entries(PLUGINS)));
}

/** Mends attachments for the agent: see mender.ts. Returns the exit status. */
export function runMender(): number {
  return mendFromStdin(
    new Map([
      ["fairlead-bridge", bridgeMender],
      ["fairlead-portmap", portmapMender],
    ]),
  );
}

/** Takes back for the agent what is nobody's: see remains.ts. Returns the exit status. */
export function runRemainsTaker(): number {
  return takeRemainsFromStdin(new Map([["fairlead-bridge", bridge]]));
}

export { runLinkReaper };

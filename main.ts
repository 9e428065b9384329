/**
 * The one executable under its many names.
 *
 * A CNI runtime runs it as `fairlead-bridge`, `fairlead-ipam`, …; under its own name it is the command line
 * and the daemons. The plugins are part of the first chunk, because loading another one takes half a millisecond of a
 * life of ten; the rest, fifteen times as large, is loaded when it is asked for.
 */
import { main as ipam } from "./plugins/ipam/fairlead/main.ts";
import { main as bridge } from "./plugins/main/bridge/main.ts";
import { main as loopback } from "./plugins/main/loopback/main.ts";

const PLUGINS: Readonly<Record<string, () => number>> = {
  "fairlead-bridge": bridge,
  "fairlead-ipam": ipam,
  "fairlead-loopback": () => loopback(),
  // containerd's CRI plugin looks for a plugin of this very name.
  loopback: () => loopback(),
};

/** `process.argv0` keeps the name that was invoked, through symbolic links, hard links and PATH look-up. */
const invokedAs = process.argv0.slice(process.argv0.lastIndexOf("/") + 1);
const plugin = PLUGINS[invokedAs];

if (plugin) process.exit(plugin());
process.exit(await (await import("./cli/process.ts")).run(process.argv.slice(2)));

/**
 * The one executable under its many names.
 *
 * A CNI runtime runs it as `fairlead-bridge`, `fairlead-ipam`, …; under its own name it is the command line
 * and the daemons. A plugin comes here when the front (plugins/front) found no resident worker to run it. Plugins and the rest,
 * fifteen times as large, are in chunks of their own, loaded when they are needed.
 */
import { isPluginName } from "./plugins/names.ts";

/** Hidden commands: what the agent starts. */
const WORKER_COMMAND = "plugin-worker";
const REAPER_COMMAND = "link-reaper";
const MENDER_COMMAND = "attachment-mender";
const REMAINS_COMMAND = "attachment-remains";
const NAMES_COMMAND = "name-server";
const PROBE_COMMAND = "names-probe";

/** `process.argv0` keeps the name that was invoked, through symbolic links, hard links and PATH look-up. */
const invokedAs = process.argv0.slice(process.argv0.lastIndexOf("/") + 1);

process.exit(
  isPluginName(invokedAs)
    ? (await import("./plugins/run/all.ts")).runAsProcess(invokedAs)
    : await runCommand(process.argv.slice(2)),
);

async function runCommand(args: readonly string[]): Promise<number> {
  if (args[0] === WORKER_COMMAND) return (await import("./plugins/run/all.ts")).runAsWorker();
  if (args[0] === REAPER_COMMAND) return (await import("./plugins/run/all.ts")).runLinkReaper();
  if (args[0] === MENDER_COMMAND) return (await import("./plugins/run/all.ts")).runMender();
  if (args[0] === REMAINS_COMMAND) return (await import("./plugins/run/all.ts")).runRemainsTaker();
  if (args[0] === NAMES_COMMAND) return (await import("./agent/dns/run.ts")).runNames(args[1] ?? "");
  if (args[0] === PROBE_COMMAND)
    return (await import("./agent/attachments/names-probe-run.ts")).runNamesProbe();
  return (await import("./cli/process.ts")).run(args);
}

/**
 * The one executable under its many names.
 *
 * A CNI runtime runs it as `fairlead-bridge`, `fairlead-ipam`, …; under its own name it is the command line
 * and the daemons. What hands a plugin's work to a resident worker is all that the first chunk holds; the plugins
 * themselves, and the rest, fifteen times as large, are loaded when they are needed.
 */
import { isPluginName, type PluginName } from "./plugins/names.ts";
import { handOver, isAboutNetwork } from "./plugins/resident/hand-over.ts";

/** Hidden commands: what the agent starts. */
const WORKER_COMMAND = "plugin-worker";
const REAPER_COMMAND = "link-reaper";

/** `process.argv0` keeps the name that was invoked, through symbolic links, hard links and PATH look-up. */
const invokedAs = process.argv0.slice(process.argv0.lastIndexOf("/") + 1);

process.exit(isPluginName(invokedAs) ? await runPlugin(invokedAs) : await runCommand(process.argv.slice(2)));

async function runPlugin(name: PluginName): Promise<number> {
  if (!isAboutNetwork(process.env)) return (await import("./plugins/version.ts")).answerVersion(name);
  const remainder = handOver(name, process.env);
  if (typeof remainder === "number") return remainder;
  return (await import("./plugins/all.ts")).runAsProcess(name, remainder);
}

async function runCommand(args: readonly string[]): Promise<number> {
  if (args[0] === WORKER_COMMAND) return (await import("./plugins/all.ts")).runAsWorker();
  if (args[0] === REAPER_COMMAND) return (await import("./plugins/all.ts")).runLinkReaper();
  return (await import("./cli/process.ts")).run(args);
}

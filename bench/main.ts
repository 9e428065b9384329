/**
 * `./build.sh bench`: Fairlead's plugins and its IPAM service, measured side by side with the reference plugins.
 *
 * Runs itself a second time inside a network namespace that plays the host, so that the plugins are started straight
 * from the process that times them. A figure that falls short of its target is shown as that and is no error.
 *
 * Usage: node --experimental-ffi bench/main.ts [options], see {@link USAGE}
 */
import { spawn } from "node:child_process";
import { netnsPath } from "./harness/host.ts";
import { parseOptions, USAGE } from "./harness/options.ts";
import { type Stage, withStage } from "./harness/stage.ts";
import { measure } from "./run.ts";

/** Set in the second run: the stage that the first one set. */
const STAGE_VARIABLE = "FAIRLEAD_BENCH_STAGE";

/** Runs this program again, on the stage. Resolves with its exit status. */
function runSelf(args: readonly string[], stage: Stage): Promise<number> {
  const program = [process.execPath, ...process.execArgv, import.meta.filename, ...args];
  const child = spawn("nsenter", [`--net=${netnsPath(stage.hostNetns)}`, "--", ...program], {
    stdio: "inherit",
    env: { ...process.env, [STAGE_VARIABLE]: JSON.stringify(stage) },
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (status) => resolve(status ?? 1));
  });
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(USAGE);
    return 0;
  }
  // Costs every start of a Node process 40 ms, and everything that is started from here inherits it.
  delete process.env["NODE_EXTRA_CA_CERTS"];
  if (args.includes("--networks")) return (await import("./networks.ts")).networksMain(args);
  if (args.includes("--leases")) return (await import("./leases.ts")).leasesMain(args);
  const options = parseOptions(args);
  const stage = process.env[STAGE_VARIABLE];
  if (stage === undefined) return withStage(options, (made) => runSelf(args, made));
  await measure(options, JSON.parse(stage) as Stage);
  return 0;
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (cause: Error) => {
    console.error(`bench: ${cause.message}`);
    process.exitCode = 1;
  },
);

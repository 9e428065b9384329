/**
 * The one executable under its many names.
 *
 * A CNI runtime runs it as `fairlead-bridge`, `fairlead-ipam`, …; under its own name it is the command line
 * and the daemons. Each branch is loaded only when it is taken, so that a plugin call reads none of the rest.
 */

/** `process.argv0` keeps the name that was invoked, through symbolic links, hard links and PATH look-up. */
const invokedAs = process.argv0.slice(process.argv0.lastIndexOf("/") + 1);

async function run(): Promise<number> {
  switch (invokedAs) {
    case "fairlead-bridge":
      return (await import("./plugins/main/bridge/main.ts")).main();
    case "fairlead-ipam":
      return (await import("./plugins/ipam/fairlead/main.ts")).main();
    // containerd's CRI plugin looks for a plugin of this very name.
    case "loopback":
    case "fairlead-loopback":
      return (await import("./plugins/main/loopback/main.ts")).main();
    default:
      return (await import("./cli/main.ts")).main(process.argv.slice(2));
  }
}

export {};

process.exit(await run());

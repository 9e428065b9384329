/** The worker as a program: `fairlead plugin-worker`, which only the agent starts. */
import { FairleadError } from "../../lib/errors.ts";
import { drawLinkGroup } from "../../lib/host/link-group.ts";
import { serveLinkReaper, useLinkReapers } from "../../lib/host/link-reaper.ts";
import { writeAll } from "../../lib/linux/files/stdio.ts";
import { placeOf } from "../../lib/linux/processes/process-place.ts";
import { keepHostNetlinkSockets } from "../../lib/linux/sockets/host-netlink.ts";
import type { PluginMain } from "./invocation.ts";
import { Worker } from "./worker.ts";

/** Descriptors that the agent gives it. */
const LISTENING = 3;
const CONTROL = 4;
/** Requests for link reapers are written to it. */
const REAPERS = 5;
/** Of a link reaper: where requests come from. */
const REQUESTS = 3;

/** Serves until told to end. Returns the exit status: 0 also when the worker wants to be replaced. */
export function runWorker(plugins: ReadonlyMap<string, PluginMain>): number {
  const log = logAs("plugin-worker");
  useNormalJit();
  keepHostNetlinkSockets();
  useLinkReapers(REAPERS);
  try {
    const place = placeOf("self");
    if (place === null) throw new Error("cannot read its own namespaces: is /proc mounted?");
    const worker = new Worker({ plugins, listening: LISTENING, control: CONTROL, place, log });
    const reason = worker.run();
    if (reason !== "told") log(`making room for another worker: ${reason}`);
    return 0;
  } catch (thrown) {
    log(thrown instanceof FairleadError ? thrown.message : String((thrown as Error)?.stack ?? thrown));
    return 1;
  }
}

/** Deletes links for workers, until there are none any more: `fairlead link-reaper`, which only the agent starts. */
export function runLinkReaper(): number {
  const log = logAs("link-reaper");
  try {
    serveLinkReaper(REQUESTS, drawLinkGroup(Math.random), log);
    return 0;
  } catch (thrown) {
    log(String((thrown as Error)?.stack ?? thrown));
    return 1;
  }
}

/** Writes lines to stderr, signed with the program that this process is. */
function logAs(program: string): (message: string) => void {
  return (message) => {
    try {
      writeAll(2, new TextEncoder().encode(`fairlead ${program} ${process.pid}: ${message}\n`));
    } catch {
      // Nobody reads it.
    }
  };
}

/** The executable starts with a just-in-time compiler that waits long, which suits a plugin of some milliseconds. */
function useNormalJit(): void {
  const { Bun: runtime } = globalThis as { Bun?: { unsafe?: { setJITPolicy?: (scale: number) => void } } };
  runtime?.unsafe?.setJITPolicy?.(1);
}

/**
 * The answers that every plugin gives alike: VERSION, and what it says to somebody who starts it by hand. In a chunk of their
 * own, because what attaches and detaches takes longer to load than these take.
 */
import type { PluginHandlers } from "../lib/cni/request.ts";
import { runPlugin } from "../lib/cni/run-plugin.ts";
import { CNI_VERSIONS } from "../lib/cni/versions.ts";
import { VERSION } from "../lib/version.ts";
import { pluginIo } from "./io.ts";

/** None of these is reached: the verb is VERSION, or there is none. */
const nothing = (): never => {
  throw new Error("not a verb of this chunk");
};
const handlers: PluginHandlers = { add: nothing, del: nothing, check: nothing, gc: nothing, status: nothing };

/** Runs one invocation. Returns the exit status of the process. */
export function answerVersion(name: string): number {
  return runPlugin({ name, version: VERSION, supportedVersions: CNI_VERSIONS, handlers, io: pluginIo() });
}

/** Options of `fairlead purge`. */

import type { Input } from "../base/spec.ts";
import { NODE_OPTIONS } from "../node/options.ts";
import { COMMON_OPTIONS } from "./common-options.ts";

const { json, socket } = COMMON_OPTIONS;

export const PURGE_OPTIONS = {
  "dry-run": { kind: "switch", description: "Say what would go, and remove nothing" },
  force: { kind: "switch", short: "f", description: "Do not ask" },
  json,
  socket,
  "agent-socket": {
    kind: "text",
    value: "path",
    complete: "file",
    description: "Socket of the agent (default: agent.sock beside --socket)",
  },
  "run-dir": NODE_OPTIONS["run-dir"],
} as const;

export type PurgeInput = Input<typeof PURGE_OPTIONS>;

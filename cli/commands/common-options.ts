/** Options that many commands share. */
import { DEFAULT_SOCKET } from "../../lib/daemon/paths.ts";
import type { Options } from "../base/spec.ts";

/** Of every command that asks the service. */
export const COMMON_OPTIONS = {
  json: { kind: "switch", description: "As JSON, nothing cut" },
  socket: {
    kind: "text",
    value: "path",
    fallback: DEFAULT_SOCKET,
    complete: "file",
    description: "Socket of the service",
  },
} as const satisfies Options;

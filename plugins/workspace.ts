/** What the steps of one invocation act through. */
import type { HostNetlink } from "../lib/host/netlink.ts";
import type { UndoStack } from "../lib/undo.ts";

/** Longest wait for a bridge's lock: whoever holds it exclusively is removing the bridge, which takes 40 ms. */
export const LOCK_TIMEOUT_MS = 10_000;

/** The host's sockets, where each step leaves its inverse, and who is told what could not be had. */
export interface Workspace {
  readonly host: HostNetlink;
  readonly undo: UndoStack;
  log(message: string): void;
}

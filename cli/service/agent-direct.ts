/**
 * The agent over its unix socket, waited for in place.
 *
 * Every command that changes a network or an attachment ends with this one question, whose answer states its length; loading the
 * runtime's HTTP client for it would take longer than the attachment.
 */
import { AGENT_PATHS, SYNC_LIMIT_MS, type SyncAnswer } from "../../lib/rpc/agent-api.ts";
import type { CliAgent } from "../base/service.ts";
import { askJson } from "../base/unix-http.ts";
import { unreachable } from "./unreachable.ts";

/** The agent ends a wait by itself; this is for one that is stuck. */
const LIMIT_MS = SYNC_LIMIT_MS + 5_000;

/** @param onSlow told what is waited for when an answer takes longer than a second. */
export function directAgent(socket: string, onSlow: (what: string) => void): CliAgent {
  const asking = { socket, timeoutMs: LIMIT_MS, onSlow: () => onSlow("waiting for this node to follow") };
  return {
    async sync() {
      try {
        return askJson({ method: "POST", target: AGENT_PATHS.sync }, asking) as SyncAnswer;
      } catch (thrown) {
        throw unreachable(thrown, {
          operation: "sync this node",
          socket,
          program: "`fairlead agent` or `fairlead dev`",
        });
      }
    },
  };
}

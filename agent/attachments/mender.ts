/** Mends attachments in a process of its own: plugins block, and what blocks here would hold up names. */
import { askChild, ownExecutable } from "../base/child-command.ts";
import type { MendRequest } from "./desired.ts";

const LIMIT_MS = 120_000;

/** What became of one request. */
export interface MendAnswer {
  /** What was wrong; empty for one that went well, or was not begun. */
  readonly problem: string;
  /** An ADD or DEL for the attachment is under way: nothing was done, and it is to be asked again. */
  readonly isBusy: boolean;
}

/** Carries the requests out and tells what became of each. */
export type Mend = (requests: readonly MendRequest[]) => Promise<readonly MendAnswer[]>;

/** By `fairlead attachment-mender`, which is this very executable; null when this is something else. */
export function mendByProcess(): Mend | null {
  const program = ownExecutable();
  return program === null ? null : (requests) => run(program, requests);
}

function run(program: string, requests: readonly MendRequest[]): Promise<readonly MendAnswer[]> {
  const lines = requests.map(({ plugin, env, config }) => ({ plugin, env, config: JSON.parse(config) }));
  return askChild({ program, args: ["attachment-mender"], lines, limitMs: LIMIT_MS });
}

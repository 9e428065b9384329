/** What a plugin's handlers get: one invocation, decoded and checked. */

import type { UndoStack } from "../undo.ts";
import type { RequestConfig } from "./config.ts";
import type { CniEnvironment, Environment } from "./environment.ts";
import type { Result } from "./result.ts";
import type { AttachmentId } from "./sections.ts";

/** What identifies an attachment among all networks. Source: CNI SPEC 1.1.0, "Attachment Parameters". */
export interface AttachmentKey extends AttachmentId {
  readonly networkName: string;
}

/** The parts of every verb's request. */
export interface PluginRequest {
  readonly config: RequestConfig;
  readonly environment: CniEnvironment;
  /** The process environment, whole: delegates inherit it. */
  readonly env: Environment;
  /** Writes one line to stderr, which runtimes keep as the plugin's log. */
  log(message: string): void;
}

/** The parts of the requests about one attachment. */
export interface AttachmentRequest extends PluginRequest {
  readonly key: AttachmentKey;
  /** The pairs of `CNI_ARGS` whose keys the plugin named; empty when it named none. */
  readonly args: ReadonlyMap<string, string>;
  /** Result of the plugins before (ADD) or of the whole chain (CHECK, DEL). */
  readonly prevResult: Result | null;
}

export interface AddRequest extends AttachmentRequest {
  /** Path of the container netns: a network namespace, and not our own. */
  readonly netns: string;
  /** Takes the inverse of each step. Run when `add` fails, and when nobody took its result: a failed ADD leaves nothing. */
  readonly undo: UndoStack;
  /** Calls `close` when the request is over, after what is undone. The last one first. */
  atEnd(close: () => void): void;
}

export interface DelRequest extends AttachmentRequest {
  /** Null when the container netns is gone, or was not named; what lies outside of it must go all the same. */
  readonly netns: string | null;
}

export interface CheckRequest extends AttachmentRequest {
  readonly netns: string;
  readonly prevResult: Result;
}

export interface GcRequest extends PluginRequest {
  /** Every attachment of the network that is alive; all else is stale. */
  readonly validAttachments: readonly AttachmentId[];
}

/** One function per verb. Each throws a FairleadError when it fails, and then leaves nothing behind. */
export interface PluginHandlers {
  /** Makes the attachment. An interface of that name must not exist yet. */
  add(request: AddRequest): Result;
  /** Takes the attachment away as far as it is there. Repeats, and what is gone already, are a success. */
  del(request: DelRequest): void;
  /** Compares the kernel and the delegates with `prevResult`. */
  check(request: CheckRequest): void;
  /** Removes what belongs to none of the valid attachments; goes on past failures and reports them at the end. */
  gc(request: GcRequest): void;
  /** Succeeds when ADD could be served now. */
  status(request: PluginRequest): void;
}

/**
 * Releases that could not be told to the service, kept on disk until they can.
 *
 * One file an intent in `<stateDir>/release-intents`, see lib/ipam/release-intent.ts. The directory exists only while intents
 * are pending, so that finding none costs one system call. The service reads the same files; whoever comes first removes them.
 *
 * No clock tells what an intent means. An ADD carries out that of its own attachment before it asks for addresses, so that
 * one that is still there is newer than all that its attachment holds; and the service bounds what it replays by the newest
 * grant that it knew when it took the file.
 */
import { asFairleadError } from "../../lib/errors.ts";
import { hashHex } from "../../lib/hash.ts";
import type { AttachmentKey } from "../../lib/ipam/api.ts";
import type { IpamClient } from "../../lib/ipam/client.ts";
import {
  judge,
  parseReleaseIntent,
  type ReleaseIntent,
  requestForAll,
  requestOf,
} from "../../lib/ipam/release-intent.ts";
import {
  listDirectory,
  makeDirectories,
  pathExists,
  readFileIfExists,
  removeDirectory,
  removeFile,
  syncDirectory,
  writeFileDurable,
} from "../../lib/linux/files/files.ts";
import { seedOf } from "../attachment-names.ts";

const DIRECTORY_MODE = 0o700;
const LONGEST_INTENT_BYTES = 64 * 1024;
const NAME_DIGITS = 16;
const ENDING = ".json";
/** What the service puts behind the name of a file that it works on. */
const TAKEN = ".taken";

function directoryOf(stateDir: string): string {
  return `${stateDir}/release-intents`;
}

function fileNameOf(key: AttachmentKey): string {
  return `${hashHex(seedOf(key), NAME_DIGITS)}${ENDING}`;
}

/**
 * Writes an intent, durable on return. A second one for the same key replaces the first, and keeps what it gave up.
 *
 * @throws SyscallError when it cannot be written; DEL must then fail, so that the runtime repeats it.
 */
export function writeReleaseIntent(stateDir: string, intent: ReleaseIntent): void {
  const directory = directoryOf(stateDir);
  makeDirectories(directory, DIRECTORY_MODE);
  syncDirectory(stateDir);
  const path = `${directory}/${fileNameOf(intent.key)}`;
  const attempts = [...(readIntent(path, () => {})?.attempts ?? []), ...(intent.attempts ?? [])];
  const whole = attempts.length > 0 ? { ...intent, attempts } : intent;
  writeFileDurable(path, new TextEncoder().encode(JSON.stringify(whole)));
}

/** Who is told, and who hears of files that hold no intent. */
export interface Replay {
  readonly stateDir: string;
  readonly client: IpamClient;
  /** Keeps other calls for the attachment away, and returns the function that ends that; null while there is one. */
  tryHold(key: AttachmentKey): (() => void) | null;
  log(message: string): void;
}

/**
 * Tells the service about every pending intent and removes those it took. A file that holds no intent is left to the
 * service, which sets it aside: it must not stop an ADD.
 *
 * @param own whose ADD asks: its intent is carried out even if the service has taken it already, and may not live to do it.
 * @throws whatever the service answers about the own one. Intents that were not taken stay.
 */
export function replayReleaseIntents(replay: Replay, own?: AttachmentKey): void {
  const directory = directoryOf(replay.stateDir);
  if (!pathExists(directory)) return;
  const ownName = own && fileNameOf(own);
  if (ownName) carryOutOwn(replay, `${directory}/${ownName}`);
  for (const name of listDirectory(directory))
    if (name !== ownName && name.endsWith(ENDING)) carryOutForOther(replay, `${directory}/${name}`);
  removeIfEmpty(directory);
}

/**
 * In this order: the service may take it between the two. A service that is killed after that carries it out when it is started again,
 * as what is meant to be newer than all that the attachment holds then.
 */
function carryOutOwn(replay: Replay, path: string): void {
  carryOut(replay, path);
  carryOut(replay, `${path}${TAKEN}`);
}

/** Of an attachment that nobody works on now: else a new one may get its addresses between two of our steps. */
function carryOutForOther(replay: Replay, path: string): void {
  let letGo: (() => void) | null = null;
  try {
    const intent = readIntent(path, replay.log);
    letGo = intent && replay.tryHold(intent.key);
    if (letGo) carryOut(replay, path);
  } catch (thrown) {
    replay.log(`left to the service: ${asFairleadError(thrown, "replay release", path).message}`);
  } finally {
    letGo?.();
  }
}

function carryOut({ client, log }: Replay, path: string): void {
  const intent = readIntent(path, log);
  if (!intent) return;
  const outcome = judge(intent, client.release(requestOf(intent), true));
  // The service looks again, and sets it aside.
  if (outcome === "doubtful") return;
  if (outcome === "all") client.release(requestForAll(intent), true);
  removeFile(path);
}

/** Null when there is none: somebody else replayed it in the meantime, or it is something else, which is logged. */
function readIntent(path: string, log: (message: string) => void): ReleaseIntent | null {
  const bytes = readFileIfExists(path, { maxBytes: LONGEST_INTENT_BYTES });
  const intent = bytes && parseReleaseIntent(new TextDecoder().decode(bytes));
  if (bytes && !intent) log(`${path} is no release intent`);
  return intent;
}

/** A new intent may appear between the last removal and this: then the directory stays. */
function removeIfEmpty(directory: string): void {
  if (listDirectory(directory).length > 0) return;
  try {
    removeDirectory(directory);
  } catch {
    // Not empty any more: the next call finds what is in it.
  }
}

/**
 * Releases that could not be told to the service, kept on disk until they can.
 *
 * One file an intent in `<stateDir>/release-intents`: `{"key": AttachmentKey, "at": RFC 3339 instant}`. The directory
 * exists only while intents are pending, so that finding none costs one system call. The service reads the same files;
 * whoever comes first removes them, and replaying one twice is harmless, because a release takes away nothing that was
 * acquired after the intent was written.
 */
import { hashHex } from "../lib/hash.ts";
import type { AttachmentKey } from "../lib/ipam/api.ts";
import type { IpamClient } from "../lib/ipam/client.ts";
import {
  listDirectory,
  makeDirectories,
  pathExists,
  readFileIfExists,
  removeDirectory,
  removeFile,
  syncDirectory,
  writeFileDurable,
} from "../lib/linux/files.ts";
import { seedOf } from "./attachment-names.ts";

const DIRECTORY_MODE = 0o700;
const LONGEST_INTENT_BYTES = 64 * 1024;
const NAME_DIGITS = 16;

interface ReleaseIntent {
  readonly key: AttachmentKey;
  /** When DEL ran. */
  readonly at: string;
}

function directoryOf(stateDir: string): string {
  return `${stateDir}/release-intents`;
}

/**
 * Writes an intent, durable on return. A second one for the same key replaces the first.
 *
 * @throws SyscallError when it cannot be written; DEL must then fail, so that the runtime repeats it.
 */
export function writeReleaseIntent(stateDir: string, intent: ReleaseIntent): void {
  const directory = directoryOf(stateDir);
  makeDirectories(directory, DIRECTORY_MODE);
  syncDirectory(stateDir);
  const name = hashHex(seedOf(intent.key), NAME_DIGITS);
  writeFileDurable(`${directory}/${name}.json`, new TextEncoder().encode(JSON.stringify(intent)));
}

/** Who is told, and who hears of files that hold no intent. */
export interface Replay {
  readonly stateDir: string;
  readonly client: IpamClient;
  log(message: string): void;
}

/**
 * Tells the service about every pending intent and removes those it took. A file that holds no intent is left to the
 * service, which sets it aside: it must not stop an ADD.
 *
 * @throws whatever the service answers; the intents that were not taken stay.
 */
export function replayReleaseIntents({ stateDir, client, log }: Replay): void {
  const directory = directoryOf(stateDir);
  if (!pathExists(directory)) return;
  for (const name of listDirectory(directory)) {
    if (!name.endsWith(".json")) continue;
    const path = `${directory}/${name}`;
    const bytes = readFileIfExists(path, { maxBytes: LONGEST_INTENT_BYTES });
    // Absent: somebody else replayed it in the meantime.
    const intent = bytes && parseIntent(new TextDecoder().decode(bytes));
    if (bytes && !intent) log(`${path} is no release intent`);
    if (!intent) continue;
    client.release({ key: intent.key, acquiredBefore: intent.at });
    removeFile(path);
  }
  removeIfEmpty(directory);
}

function parseIntent(text: string): ReleaseIntent | null {
  try {
    const intent = JSON.parse(text) as ReleaseIntent;
    return typeof intent.at === "string" && typeof intent.key.networkName === "string" ? intent : null;
  } catch {
    return null;
  }
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

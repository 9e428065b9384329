/**
 * Releases that CNI plugins could not deliver.
 *
 * A plugin whose DEL found nobody at the socket leaves a file `NAME.json` in the intents directory, written
 * under another name, flushed and renamed: see lib/ipam/release-intent.ts. The server carries it out: before it
 * listens (so that no address that is given up already refuses a new ADD), and afterwards every second.
 *
 * An ADD carries out the intent of its own attachment before it asks for addresses. So an intent that is there means
 * nothing that was granted later than the moment at which it was seen: that moment's revision bounds the release, and
 * no clock. Only what programs before 0.2 wrote names an instant; where that spares something the file is set aside.
 *
 * A file goes when its release is durable. One that cannot be read or makes no sense is set aside in the
 * directory with `.bad` behind its name, for an admin to look at, and logged. The directory goes when it is
 * empty: that it is not there tells plugins, with one system call, that nothing is pending. A plugin that
 * finds it gone between making it and writing its file makes it again. What a plugin left that was killed while it wrote its
 * file is removed: its DEL was not answered.
 */
import { lstat, mkdir, open, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { asFairleadError, type ErrorCode, FairleadError } from "../lib/errors.ts";
import type { Caller, IpamService, ReleaseRequest, ReleaseResponse } from "../lib/ipam/api.ts";
import {
  judge,
  parseReleaseIntent,
  type ReleaseIntent,
  requestForAll,
  requestOf,
} from "../lib/ipam/release-intent.ts";
import type { Logger } from "../lib/log.ts";
import { TEMPORARY_PREFIX } from "../lib/temporary-name.ts";
import type { Validators } from "./fronts/schema/validation.ts";

const POLL_MS = 1_000;
const ENDING = ".json";
const MAX_FILE_BYTES = 64 * 1024;
/** Releases under way at once: they share commits. */
const AT_ONCE = 64;
/**
 * What a file is renamed to while it is worked on. A plugin that writes an intent for the same attachment in
 * the meantime writes a file of its own, which is not removed with this one. One that a killed server left
 * is carried out first.
 */
const TAKEN = ".taken";
/** A file that makes no sense may be half written by a plugin that does not rename: it is given this long. */
const SETTLE_MS = 5_000;
/** To write an intent takes milliseconds. One that takes as long as this fails, and the runtime repeats its DEL. */
const ABANDONED_AFTER_MS = 10_000;

/** What the file itself is to blame for; anything else may pass by itself. */
const BAD_FILE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["decode-failure", "invalid-config"]);

export interface IntentOptions {
  readonly dir: string;
  readonly service: Pick<IpamService, "release" | "info">;
  readonly validators: Validators;
  readonly caller: Caller;
  readonly logger: Logger;
  /** Wall-clock time in ms since the Unix epoch: compared with the age of files. */
  readonly now: () => number;
}

export class IntentReplay {
  readonly #options: IntentOptions;
  /** Files that failed, with what was logged of each: a failure that stays is logged once. */
  readonly #failed = new Map<string, string>();
  #timer: NodeJS.Timeout | null = null;
  #pass: Promise<number> | null = null;

  constructor(options: IntentOptions) {
    this.#options = options;
  }

  /** Replays all that is there now. Returns the number of intents carried out. Never throws. */
  replay(): Promise<number> {
    this.#pass ??= this.#replayAll().finally(() => {
      this.#pass = null;
    });
    return this.#pass;
  }

  /** Replays every second from now on. */
  start(): void {
    this.#timer ??= setInterval(() => void this.replay(), POLL_MS);
  }

  /** Ends the replay after the pass under way. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    await this.#pass;
  }

  /** Goes through the directory until there is nothing in it that can be carried out. */
  async #replayAll(): Promise<number> {
    const { dir, logger } = this.#options;
    let total = 0;
    try {
      let names: readonly string[] | null = null;
      for (let done = -1; done !== 0; total += done) {
        names = await ifPresent(readdir(dir));
        done = names === null ? 0 : await this.#replayFiles(names);
      }
      // As a rule there is no directory, and this is asked every second.
      if (names !== null) {
        await this.#removeAbandoned(names);
        await removeIfEmpty(dir);
      }
    } catch (err) {
      this.#complain(dir, err);
    }
    if (total > 0) logger.info({ dir, releases: total }, "replayed releases that plugins could not deliver");
    return total;
  }

  async #removeAbandoned(names: readonly string[]): Promise<void> {
    const { dir, now } = this.#options;
    for (const name of names) {
      if (!name.startsWith(TEMPORARY_PREFIX)) continue;
      const file = join(dir, name);
      const writtenAt = await writtenAtMs(file);
      if (writtenAt !== null && now() - writtenAt > ABANDONED_AFTER_MS) await rm(file, { force: true });
    }
  }

  async #replayFiles(names: readonly string[]): Promise<number> {
    const intents = names.filter((name) => name.endsWith(ENDING) || name.endsWith(ENDING + TAKEN));
    if (intents.length === 0) return 0;
    // Before any is taken: whoever acquires later has removed its file first.
    const { revision } = await this.#options.service.info();
    const files = [...new Set(intents.map((name) => name.replace(/\.taken$/, "")))];
    let done = 0;
    for (let at = 0; at < files.length; at += AT_ONCE) {
      const results = await Promise.all(
        files.slice(at, at + AT_ONCE).map((name) => this.#replayFile(name, revision)),
      );
      done += results.filter(Boolean).length;
    }
    return done;
  }

  /** True when the intent was carried out. */
  async #replayFile(name: string, upToSequence: number): Promise<boolean> {
    const { dir } = this.#options;
    const path = join(dir, name);
    const taken = path + TAKEN;
    try {
      if (!(await take(path, taken))) return false;
      await this.#carryOut(await readIntent(taken), upToSequence);
      await rm(taken, { force: true });
      this.#failed.delete(path);
      return true;
    } catch (thrown) {
      const error = asFairleadError(thrown, "replay release", path);
      if (BAD_FILE.has(error.code)) await this.#setAside(name, error);
      else this.#complain(path, error);
      return false;
    }
  }

  async #carryOut(intent: ReleaseIntent, upToSequence: number): Promise<void> {
    const outcome = judge(intent, await this.#release({ ...requestOf(intent), upToSequence }));
    if (outcome === "doubtful") throw doubtful(intent);
    if (outcome === "all") await this.#release({ ...requestForAll(intent), upToSequence });
  }

  #release(request: ReleaseRequest): Promise<ReleaseResponse> {
    const { service, validators, caller } = this.#options;
    validators.assertValid("ReleaseRequest", request, "replay release");
    return service.release(request, caller);
  }

  async #setAside(name: string, error: FairleadError): Promise<void> {
    const { dir, logger, now } = this.#options;
    const taken = join(dir, name + TAKEN);
    const { mtimeMs } = await lstat(taken);
    if (now() - mtimeMs < SETTLE_MS) return;
    const badDir = `${dir}.bad`;
    await mkdir(badDir, { recursive: true, mode: 0o700 });
    const file = join(badDir, `${name.slice(0, -ENDING.length)}.${Math.trunc(mtimeMs)}${ENDING}`);
    await rename(taken, file);
    logger.error(
      { err: error, file },
      "set a release aside that makes no sense: release its attachment by hand, then remove the file",
    );
  }

  #complain(path: string, thrown: unknown): void {
    const { message } = asFairleadError(thrown, "replay releases", path);
    if (this.#failed.get(path) === message) return;
    this.#failed.set(path, message);
    this.#options.logger.warn({ err: thrown, path }, "cannot replay a release yet: trying again");
  }
}

/** False when there is nothing to take: somebody else carried the intent out. */
async function take(path: string, taken: string): Promise<boolean> {
  if ((await ifPresent(lstat(taken))) !== null) return true;
  return (await ifPresent(rename(path, taken))) !== null;
}

/** Null: it has been renamed, or removed. */
async function writtenAtMs(path: string): Promise<number | null> {
  return (await ifPresent(lstat(path)))?.mtimeMs ?? null;
}

/** Null instead of the answer when what was asked about is not there. */
async function ifPresent<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw thrown;
  }
}

async function readIntent(path: string): Promise<ReleaseIntent> {
  const intent = parseReleaseIntent(await readSmallFile(path));
  if (intent === null) throw unreadable(path, "it is not the JSON object of a release");
  return intent;
}

function doubtful({ key, at }: ReleaseIntent): FairleadError {
  const { networkName, containerId, ifname } = key;
  return new FairleadError({
    code: "invalid-config",
    operation: "replay release",
    object: `${containerId} (${ifname}) of network ${networkName}`,
    reason: `it means what was acquired before ${at}, and by the clock nothing that is held is older`,
    hint: "if the clock was set back since, release it by hand",
  });
}

async function readSmallFile(path: string): Promise<string> {
  if (!(await lstat(path)).isFile()) throw unreadable(path, "it is not a regular file");
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(MAX_FILE_BYTES + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    if (bytesRead > MAX_FILE_BYTES) throw unreadable(path, `it has more than ${MAX_FILE_BYTES} bytes`);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

function unreadable(path: string, reason: string, cause?: unknown): FairleadError {
  return new FairleadError({
    code: "decode-failure",
    operation: "replay release",
    object: path,
    reason,
    cause,
  });
}

/** A plugin may be writing a file this very moment: then the directory is not empty, and stays. */
async function removeIfEmpty(dir: string): Promise<void> {
  try {
    await rmdir(dir);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "ENOENT") throw thrown;
  }
}

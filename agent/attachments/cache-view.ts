/** The cache of results as it is now, read anew only where a file has changed. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { readCacheEntry } from "../../lib/runtime/cache.ts";
import { resultNamesIn, resultsFolder } from "../base/result-files.ts";
import { type DesiredAttachment, desiredOf } from "./desired.ts";

interface Known {
  readonly version: string;
  readonly desired: DesiredAttachment | null;
}

export class CacheView {
  readonly #folder: string;
  #known = new Map<string, Known>();

  /** @param directory libcni's `CacheDir`. */
  constructor(directory: string) {
    this.#folder = resultsFolder(directory);
  }

  /** Attachments that can be read; what cannot, and what was made by somebody else, is none of ours. */
  async list(): Promise<readonly DesiredAttachment[]> {
    const names = await resultNamesIn(this.#folder);
    const known = new Map<string, Known>();
    for (const name of names) {
      const one = await this.#look(name);
      if (one !== null) known.set(name, one);
    }
    this.#known = known;
    return [...known.values()].flatMap(({ desired }) => desired ?? []);
  }

  async #look(name: string): Promise<Known | null> {
    const file = join(this.#folder, name);
    try {
      const { ino, size, mtimeMs } = await stat(file);
      const version = `${ino} ${size} ${mtimeMs}`;
      const before = this.#known.get(name);
      return before?.version === version ? before : { version, desired: read(await readFile(file), file) };
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw thrown;
    }
  }
}

/** Null for what is half written, broken, or of another kind: it says nothing that one could act on. */
function read(bytes: Uint8Array, file: string): DesiredAttachment | null {
  try {
    const entry = readCacheEntry(bytes, file);
    return entry && desiredOf(entry);
  } catch {
    return null;
  }
}

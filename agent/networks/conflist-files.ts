/**
 * The directory of conflists, of which some files are ours: those that say for which network of the service they were
 * written. No other file is ever changed or removed.
 */
import { FairleadError } from "../../lib/errors.ts";
import {
  listDirectory,
  makeDirectories,
  readFileIfExists,
  removeFile,
  syncDirectory,
  writeFileDurable,
} from "../../lib/linux/files/files.ts";
import type { NodeConflist } from "./conflist.ts";

/** What runtimes read. Source: libcni ConfFiles. */
const CONFIGURATION_FILE = /\.(conflist|conf|json)$/;
/** A conflist of ours has 1 KiB. Larger files are read by nobody here. */
const MAX_FILE_BYTES = 256 * 1024;
/** Runtimes of any user may read which networks there are. */
const FILE_MODE = 0o644;

export interface ConfigurationFile {
  readonly fileName: string;
  readonly text: string;
  /** Empty where the file cannot be read as a configuration. */
  readonly networkName: string;
  /** The network that we wrote it for; null: it is not ours. */
  readonly networkId: string | null;
}

export class ConflistFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Every configuration file of the directory. */
  list(): ConfigurationFile[] {
    return listDirectory(this.#directory)
      .filter((name) => CONFIGURATION_FILE.test(name))
      .sort()
      .map((name) => this.#read(name));
  }

  /**
   * Writes the conflist of a network, unless it is there, and removes others of the same network.
   *
   * @param present what {@link list} told.
   * @returns whether something had to be changed.
   * @throws already-exists when somebody else's file has the network's name, or ours; io-failure
   */
  ensure(wanted: NodeConflist, networkName: string, present: readonly ConfigurationFile[]): boolean {
    const foreign = present.find(
      (file) =>
        file.networkId === null && (file.networkName === networkName || file.fileName === wanted.fileName),
    );
    if (foreign) throw this.#inTheWay(foreign.fileName, networkName);
    const others = present.filter(
      (file) => file.networkName === networkName && file.fileName !== wanted.fileName,
    );
    const isThere = present.some(
      ({ fileName, text }) => fileName === wanted.fileName && text === wanted.text,
    );
    if (!isThere) {
      makeDirectories(this.#directory);
      writeFileDurable(this.#path(wanted.fileName), new TextEncoder().encode(wanted.text), FILE_MODE);
    }
    this.remove(others);
    return !isThere || others.length > 0;
  }

  /** Removes files of ours. Those that are gone are passed over. */
  remove(files: readonly ConfigurationFile[]): void {
    const own = files.filter(({ networkId }) => networkId !== null);
    // Read again: somebody may have put a file of his own there.
    const removed = own.filter(({ fileName }) => this.#read(fileName).networkId !== null);
    for (const { fileName } of removed) removeFile(this.#path(fileName));
    if (removed.length > 0) syncDirectory(this.#directory);
  }

  #path(fileName: string): string {
    return `${this.#directory}/${fileName}`;
  }

  /** A file that cannot be read is one that is not ours. */
  #read(fileName: string): ConfigurationFile {
    try {
      const bytes = readFileIfExists(this.#path(fileName), { maxBytes: MAX_FILE_BYTES });
      const text = new TextDecoder().decode(bytes ?? new Uint8Array(0));
      const { name, fairlead } = JSON.parse(text) as {
        name?: unknown;
        fairlead?: { networkId?: unknown } | null;
      };
      const networkId = fairlead?.networkId;
      return {
        fileName,
        text,
        networkName: typeof name === "string" ? name : "",
        networkId: typeof networkId === "string" ? networkId : null,
      };
    } catch {
      return { fileName, text: "", networkName: "", networkId: null };
    }
  }

  #inTheWay(fileName: string, networkName: string): FairleadError {
    return new FairleadError({
      code: "already-exists",
      operation: "write conflist of network",
      object: networkName,
      reason: `${this.#path(fileName)} has a network of that name, or our file's name, and was not written by us`,
      hint: "rename or remove it, or give the network another name; until then runtimes use that file",
    });
  }
}

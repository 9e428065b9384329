/**
 * The sandboxes of this node: one file each under `<run>/sandboxes`, and a folder with what a process inside sees.
 *
 * Everything here is gone after a reboot, as the network namespaces are. What a sandbox held on its networks is in the
 * cache of results, which is not.
 */
import { FairleadError } from "../../lib/errors.ts";
import {
  listDirectory,
  makeDirectories,
  readFileIfExists,
  removeDirectory,
  removeFile,
  writeFileDurable,
} from "../../lib/linux/files/files.ts";
import { LockFile } from "../../lib/linux/files/lock-file.ts";
import { removeContainerUpstreams, writeContainerUpstreams } from "../../lib/runtime/container-upstreams.ts";
import type { ContainerPort } from "./ports/publish.ts";
import type { ExtraHost } from "./resolver/wishes.ts";

export interface SandboxRecord {
  readonly name: string;
  /** 64 hexadecimal digits; the CNI container ID of its attachments. */
  readonly id: string;
  /** Path of its network namespace; empty when it is in the host's. */
  readonly netns: string;
  readonly mode: "own" | "none" | "host";
  readonly hostname: string;
  readonly createdAt: string;
  /** Name servers that the user named, with `#port` where it is not 53. Empty: those of its networks, or of the host. */
  readonly nameservers: readonly string[];
  /** Search domains that the user named, "." alone for none; absent: those of networks and host. */
  readonly search?: readonly string[];
  /** Options of resolv.conf that the user named. */
  readonly resolverOptions?: readonly string[];
  /** Lines of /etc/hosts that the user named. */
  readonly extraHosts?: readonly ExtraHost[];
  /** Ports that it serves, published or not. Absent: nobody said. */
  readonly exposedPorts?: readonly ContainerPort[];
}

/** Files that processes in the sandbox see as their own. */
export interface SandboxFiles {
  readonly folder: string;
  readonly resolvConf: string;
  readonly hosts: string;
}

const LOCK_LIMIT_MS = 30_000;
const SUFFIX = ".json";

export class SandboxRegistry {
  readonly #runDirectory: string;
  readonly #folder: string;

  constructor(runDirectory: string) {
    this.#runDirectory = runDirectory;
    this.#folder = `${runDirectory}/sandboxes`;
  }

  /** Null when there is none of that name. @throws FairleadError `decode-failure` */
  find(name: string): SandboxRecord | null {
    const path = this.#path(name);
    const bytes = readFileIfExists(path);
    return bytes === null ? null : decode(path, bytes);
  }

  /** By name. */
  list(): SandboxRecord[] {
    const names = listDirectory(this.#folder).filter((file) => file.endsWith(SUFFIX));
    return names.sort().flatMap((file) => this.find(file.slice(0, -SUFFIX.length)) ?? []);
  }

  /** Adds a sandbox; of two that add one name at once, one succeeds. False when the name is taken. */
  add(record: SandboxRecord): boolean {
    makeDirectories(this.#folder);
    const lock = new LockFile(`${this.#folder}/.lock`);
    try {
      lock.lock("exclusive", LOCK_LIMIT_MS);
      if (this.find(record.name) !== null) return false;
      makeDirectories(this.files(record.id).folder);
      this.#write(record);
      return true;
    } finally {
      lock.close();
    }
  }

  /** Replaces what is written of a sandbox. */
  update(record: SandboxRecord): void {
    this.#write(record);
  }

  /** Idempotent. */
  remove({ name, id }: SandboxRecord): void {
    const { folder, resolvConf, hosts } = this.files(id);
    removeContainerUpstreams({ runDir: this.#runDirectory, containerId: id });
    for (const file of [resolvConf, hosts]) removeFile(file);
    removeDirectory(folder);
    removeFile(this.#path(name));
  }

  files(id: string): SandboxFiles {
    const folder = `${this.#folder}/${id}`;
    return { folder, resolvConf: `${folder}/resolv.conf`, hosts: `${folder}/hosts` };
  }

  /** Name servers are also told the agent, which asks them for this sandbox: before the record, so that none is without. */
  #write(record: SandboxRecord): void {
    const { id, nameservers } = record;
    const owner = { runDir: this.#runDirectory, containerId: id };
    if (nameservers.length > 0) writeContainerUpstreams(owner, nameservers);
    const text = `${JSON.stringify(record, null, 2)}\n`;
    writeFileDurable(this.#path(record.name), new TextEncoder().encode(text), 0o644);
  }

  #path(name: string): string {
    return `${this.#folder}/${name}${SUFFIX}`;
  }
}

function decode(path: string, bytes: Uint8Array): SandboxRecord {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as SandboxRecord;
  } catch (cause) {
    throw new FairleadError({
      code: "decode-failure",
      operation: "read sandbox",
      object: path,
      reason: "it is not JSON",
      hint: "remove the file, and the network namespace of that name: ip netns del NAME",
      cause,
    });
  }
}

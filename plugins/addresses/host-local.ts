/**
 * The leases of `host-local`, the reference's IPAM plugin: one file an address, `<dataDir>/<network>/<address>`, with
 * container ID and interface name in it. Whoever has changed a network to ours finds there who holds what, and takes
 * a holder's files away with the holder.
 *
 * Source: plugins/ipam/host-local/backend/disk/backend.go of the reference plugins.
 */
import { type Address, tryParseAddress } from "../../lib/addr/address.ts";
import { fieldValue, readLeniently, TOP, text } from "../../lib/cni/fields.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import type { AttachmentId } from "../../lib/cni/sections.ts";
import { listDirectory, readFileIfExists, removeFile } from "../../lib/linux/files/files.ts";
import { LockFile } from "../../lib/linux/files/lock-file.ts";

const DEFAULT_DATA_DIR = "/var/lib/cni/networks";
const LONGEST_LEASE_BYTES = 4096;
/** host-local holds its lock for as long as it looks for a free address. */
const LOCK_TIMEOUT_MS = 5_000;

/** Where the leases of a network may be. */
export interface HostLocalPlace {
  /** The network's configuration: its `ipam.dataDir` is looked at, and the default one in any case. */
  readonly raw: JsonObject;
  readonly networkName: string;
}

/** One file. Before version 0.8 of the reference it names no interface: then `ifname` is empty. */
export interface HostLocalLease extends AttachmentId {
  readonly address: Address;
  readonly file: string;
}

/** Every lease of the network. A network that host-local has never seen costs one system call. @throws SyscallError */
export function listHostLocal(place: HostLocalPlace): HostLocalLease[] {
  return directoriesOf(place).flatMap((directory) =>
    listDirectory(directory).flatMap((name) => readLease(`${directory}/${name}`, name) ?? []),
  );
}

/** Those of one attachment. */
export function findHostLocal(
  place: HostLocalPlace,
  { containerId, ifname }: AttachmentId,
): HostLocalLease[] {
  return listHostLocal(place).filter(
    (lease) => lease.containerId === containerId && (lease.ifname === ifname || lease.ifname === ""),
  );
}

/** Removes a lease, unless it is another one by now. Idempotent. @throws SyscallError; FairleadError timeout. */
export function removeHostLocal({ file, address, containerId, ifname }: HostLocalLease): void {
  const [directory = "", name = ""] = splitPath(file);
  const lock = new LockFile(`${directory}/lock`);
  try {
    lock.lock("exclusive", LOCK_TIMEOUT_MS);
    const present = readLease(file, name);
    const isSame = present?.containerId === containerId && present.ifname === ifname;
    if (isSame && present.address.value === address.value) removeFile(file);
  } finally {
    lock.close();
  }
}

function splitPath(path: string): [string, string] {
  const at = path.lastIndexOf("/");
  return [path.slice(0, at), path.slice(at + 1)];
}

function directoriesOf({ raw, networkName }: HostLocalPlace): string[] {
  const complain = (): void => undefined;
  const section = fieldValue(raw, "ipam");
  const { dataDir } = readLeniently({ dataDir: text() }, section, { ...TOP, complain });
  const directories = new Set([DEFAULT_DATA_DIR, ...(dataDir === "" ? [] : [dataDir])]);
  return [...directories].map((directory) => `${directory}/${networkName}`);
}

/** Null for other files of host-local's (`lock`, `last_reserved_ip.0`), and for what is gone meanwhile. */
function readLease(file: string, name: string): HostLocalLease | null {
  const address = tryParseAddress(name);
  const bytes = address && readFileIfExists(file, { maxBytes: LONGEST_LEASE_BYTES });
  if (!bytes) return null;
  const [containerId = "", ifname = ""] = new TextDecoder().decode(bytes).trim().split(/\r?\n/);
  return { address, containerId: containerId.trim(), ifname: ifname.trim(), file };
}

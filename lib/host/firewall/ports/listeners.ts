/**
 * Which program of this host listens on a port: asked before a port is published, because DNAT would take the port's
 * packets away from that program without a word.
 *
 * The kernel says whether the port is taken; only then are its lists read, to say by whom. A connection that happens to
 * have the port at its own end is not in the way, because DNAT looks at new connections alone.
 *
 * Source: Documentation/networking/proc_net_tcp.rst.
 */
import { type Address, addressFromBytes, formatAddress } from "../../../addr/address.ts";
import { FairleadError } from "../../../errors.ts";
import { listDirectory, makeDirectories, readFileIfExists } from "../../../linux/files/files.ts";
import { LockFile } from "../../../linux/files/lock-file.ts";
import { statPath } from "../../../linux/files/stat.ts";
import { type PortToProbe, probePort } from "../../../linux/sockets/port-probe.ts";
import { LOCK_DIRECTORY } from "../../locks/bytes.ts";

/** Column `st`: a socket that waits for connections, or a UDP socket that is not connected. */
const LISTENING_STATE = { tcp: "0A", udp: "07" } as const;

/** Longest wait for others that probe: each takes a moment. */
const LOCK_TIMEOUT_MS = 10_000;

export interface Listener {
  /** What it listens on; 0.0.0.0 or :: for every address. */
  readonly address: Address;
  readonly port: number;
  readonly processId: number | null;
  /** Name of the program; empty when its process is not to be seen from here. */
  readonly program: string;
  /** Its command line, arguments separated by blanks. */
  readonly commandLine: string;
}

interface ListedSocket {
  readonly address: Address;
  readonly inode: string;
}

/**
 * The programs that listen on the port. Of the netns that this thread is in.
 *
 * @throws FairleadError invalid-config when this host does not have the address; timeout when another process holds the lock for
 * very long.
 */
export function findListeners(port: PortToProbe): Listener[] {
  const sockets = port.protocol === "udp" ? whileNobodyProbes(() => look(port)) : look(port);
  return sockets.map(({ address, inode }) => ({ address, port: port.port, ...findOwner(inode) }));
}

function look(port: PortToProbe): ListedSocket[] {
  const state = probePort(port);
  if (state === "elsewhere") throw foreignAddress(port);
  return state === "taken" ? listeningSockets(port) : [];
}

function foreignAddress({ address, port, protocol }: PortToProbe): FairleadError {
  return new FairleadError({
    code: "invalid-config",
    operation: "publish port",
    object: `${protocol}/${authority(address)}:${port}`,
    reason: `this host does not have the address ${formatAddress(address)}`,
    hint: "see those that it has with: ip address; one that comes later needs net.ipv4.ip_nonlocal_bind=1",
  });
}

/** While a UDP port is probed for another container, it looks as if somebody listened. TCP's lists show who does. */
function whileNobodyProbes<T>(action: () => T): T {
  makeDirectories(LOCK_DIRECTORY, 0o700);
  const lock = new LockFile(`${LOCK_DIRECTORY}/port-probe.lock`);
  try {
    lock.lock("exclusive", LOCK_TIMEOUT_MS);
    return action();
  } finally {
    lock.close();
  }
}

/** `nginx (process 812) listens on 0.0.0.0:8080`, `container web has 0.0.0.0:8080`. */
export function describeListener({ address, port, program, processId, commandLine }: Listener): string {
  const who = processId === null ? "a program of this host" : `${program} (process ${processId})`;
  const container = heldFor(commandLine);
  return container === null
    ? `${who} listens on ${authority(address)}:${port}`
    : `container ${container} has ${authority(address)}:${port}`;
}

/**
 * The container on whose behalf podman's monitor holds a port: `conmon … -n NAME …`. Null for every other program.
 *
 * Source: containers/podman 4.3, libpod/oci_conmon_common.go, sharedConmonArgs.
 */
function heldFor(commandLine: string): string | null {
  const [, name] = /^(?:\S*\/)?conmon .*?(?:-n|--name) (\S+)/.exec(commandLine) ?? [];
  return name ?? null;
}

function authority(address: Address): string {
  return address.family === 4 ? formatAddress(address) : `[${formatAddress(address)}]`;
}

function listeningSockets(port: PortToProbe): ListedSocket[] {
  const { protocol, address } = port;
  if (protocol === "sctp") return [];
  const lists = address.family === 4 ? [protocol, `${protocol}6`] : [`${protocol}6`];
  return lists.flatMap((list) => {
    const bytes = readFileIfExists(`/proc/thread-self/net/${list}`);
    return bytes === null ? [] : parseSockets(new TextDecoder().decode(bytes), port);
  });
}

/** The lines of /proc/net/tcp and its kin that stand in the way of `port`. */
export function parseSockets(text: string, { protocol, address, port }: PortToProbe): ListedSocket[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const wanted = LISTENING_STATE[protocol === "tcp" ? "tcp" : "udp"];
  return text.split("\n").flatMap((line) => {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    if (state !== wanted || !local.endsWith(suffix)) return [];
    const bound = parseProcAddress(local.slice(0, -suffix.length));
    return overlaps(bound, address) ? [{ address: bound, inode }] : [];
  });
}

/** Words of four bytes, each as a little-endian number. */
function parseProcAddress(hex: string): Address {
  const bytes = new Uint8Array(hex.length / 2);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < hex.length; at += 8) {
    view.setUint32(at / 2, Number.parseInt(hex.slice(at, at + 8), 16), true);
  }
  return unmapped(addressFromBytes(bytes));
}

/** An IPv6 socket that is bound to an IPv4 address. */
function unmapped({ family, value }: Address): Address {
  return family === 6 && value >> 32n === 0xffffn
    ? { family: 4, value: value & 0xffff_ffffn }
    : { family, value };
}

/** A socket bound to `::` may serve IPv4 as well; whether it does, the kernel has said by refusing the port. */
function overlaps(bound: Address, wanted: Address): boolean {
  if (bound.value === 0n) return bound.family === wanted.family || bound.family === 6;
  return bound.family === wanted.family && (wanted.value === 0n || bound.value === wanted.value);
}

/** The first process that has the socket open. Looks through every process: for error messages only. */
function findOwner(inode: string): Omit<Listener, "address" | "port"> {
  for (const processId of listDirectory("/proc")) {
    if (!/^[0-9]+$/.test(processId) || !hasSocket(processId, inode)) continue;
    const read = (name: string) => readText(`/proc/${processId}/${name}`);
    const commandLine = read("cmdline").replaceAll("\0", " ").trim();
    const [executable = ""] = commandLine.split(" ");
    // The first word of the command line: what a program calls its main thread helps nobody.
    const program = executable.slice(executable.lastIndexOf("/") + 1) || read("comm").trim();
    return { processId: Number(processId), program, commandLine };
  }
  return { processId: null, program: "", commandLine: "" };
}

function hasSocket(processId: string, inode: string): boolean {
  try {
    return listDirectory(`/proc/${processId}/fd`).some((fd) => {
      const status = statPath(`/proc/${processId}/fd/${fd}`);
      return status?.kind === "socket" && status.identity.endsWith(`:${inode}`);
    });
  } catch {
    // It ended, or is hidden from us.
    return false;
  }
}

function readText(path: string): string {
  try {
    return new TextDecoder().decode(readFileIfExists(path) ?? new Uint8Array(0));
  } catch {
    return "";
  }
}

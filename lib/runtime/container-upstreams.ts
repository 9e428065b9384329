/**
 * Name servers that a container has for itself (`--dns`): whom the node's name server asks, on its behalf, about names of
 * the world.
 *
 * One file a container, `<runDir>/upstreams/<containerId>.json`: `{"upstreams": ["192.0.2.53", "192.0.2.54#5353"]}`. Whoever
 * attaches the container writes it before the first ADD, and removes it after the last DEL; the agent reads it when the
 * container's attachments change. It lies under /run because the wish lasts as long as the container.
 */
import { tryParseAddress } from "../addr/address.ts";
import { FairleadError } from "../errors.ts";
import { makeDirectories, readFileIfExists, removeFile, writeFileDurable } from "../linux/files/files.ts";

const DIRECTORY_MODE = 0o700;
const LONGEST_FILE_BYTES = 64 * 1024;
const DNS_PORT = 53;
const LAST_PORT = 65_535;
/** As many as the C library has of a resolv.conf. Source: resolv.conf(5), MAXNS. */
const MOST_UPSTREAMS = 3;

/** A name server. */
export interface ContainerUpstream {
  readonly address: string;
  readonly port: number;
}

/** Whose name servers, and where they are kept. */
export interface UpstreamsOwner {
  /** `/run/fairlead`, but for tests. */
  readonly runDir: string;
  readonly containerId: string;
}

function pathOf({ runDir, containerId }: UpstreamsOwner): string {
  return `${runDir}/upstreams/${containerId}.json`;
}

/** `ADDRESS`, or `ADDRESS#PORT`. Null for what is neither. */
export function tryParseContainerUpstream(text: string): ContainerUpstream | null {
  const [, address = "", digits = String(DNS_PORT)] = /^([^#]+)(?:#(\d{1,5}))?$/.exec(text) ?? [];
  const port = Number(digits);
  const isServer = tryParseAddress(address) !== null && port >= 1 && port <= LAST_PORT;
  return isServer ? { address, port } : null;
}

/**
 * Writes the name servers of a container, in place of those that it had; the first three count. None: the file goes.
 *
 * @throws FairleadError invalid-config for one that is none; SyscallError
 */
export function writeContainerUpstreams(owner: UpstreamsOwner, upstreams: readonly string[]): void {
  for (const text of upstreams)
    requireUpstream(text, { operation: "write name servers", code: "invalid-config" });
  if (upstreams.length === 0) {
    removeContainerUpstreams(owner);
    return;
  }
  makeDirectories(`${owner.runDir}/upstreams`, DIRECTORY_MODE);
  const content = { upstreams: upstreams.slice(0, MOST_UPSTREAMS) };
  writeFileDurable(pathOf(owner), new TextEncoder().encode(`${JSON.stringify(content)}\n`));
}

/** Absent: success. @throws SyscallError */
export function removeContainerUpstreams(owner: UpstreamsOwner): void {
  removeFile(pathOf(owner));
}

/**
 * The name servers of a container, three at most; none when nobody wrote any.
 *
 * @throws FairleadError decode-failure; SyscallError
 */
export function readContainerUpstreams(owner: UpstreamsOwner): readonly ContainerUpstream[] {
  const path = pathOf(owner);
  const bytes = readFileIfExists(path, { maxBytes: LONGEST_FILE_BYTES });
  return bytes === null ? [] : parseFile(new TextDecoder().decode(bytes), path);
}

function parseFile(text: string, path: string): readonly ContainerUpstream[] {
  const reading = { operation: "read name servers", code: "decode-failure" } as const;
  try {
    const { upstreams } = JSON.parse(text) as { upstreams: string[] };
    return upstreams.map((one) => requireUpstream(one, reading)).slice(0, MOST_UPSTREAMS);
  } catch (cause) {
    throw new FairleadError({ ...reading, object: path, reason: (cause as Error).message, cause });
  }
}

interface Failing {
  readonly operation: string;
  readonly code: "invalid-config" | "decode-failure";
}

function requireUpstream(text: string, failing: Failing): ContainerUpstream {
  const upstream = tryParseContainerUpstream(String(text));
  if (upstream !== null) return upstream;
  throw new FairleadError({
    ...failing,
    object: JSON.stringify(String(text).slice(0, 80)),
    reason: "it is not an address of a name server",
    hint: "write it like 192.0.2.53, 2001:db8::53 or 192.0.2.53#5353",
  });
}

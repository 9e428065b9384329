/** One datagram to a server, asked from inside of network namespaces: for a process of its own, because it waits. */
import type { Address } from "../../addr/address.ts";
import { closeFd, invoke, invokeOrThrow } from "../calls/errno.ts";
import { openNetnsIfExists, withNetns } from "../namespaces/netns.ts";
import { socketAddress } from "./port-probe.ts";
import { SO_RCVTIMEO, SOCK_CLOEXEC, setTimeoutOption } from "./socket.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const ECONNREFUSED = 111;
const MOST_BYTES = 4_096;

export interface UdpQuestion {
  /** Path of the namespace. */
  readonly netns: string;
  readonly server: Address;
  readonly port: number;
  readonly datagram: Uint8Array;
}

/** "unknown": the question could not be asked, which says nothing about the server. */
export type UdpOutcome = "answered" | "refused" | "silent" | "unknown";

/**
 * Asks all at once, and waits for each answer; asks those that are silent once more.
 *
 * @param limitMs of one waiting, of which there are two for all together, or a little more.
 */
export function askAll(questions: readonly UdpQuestion[], limitMs: number): UdpOutcome[] {
  const sockets = questions.map((question) => tryOpen(question));
  try {
    const outcomes: UdpOutcome[] = questions.map((_, at) => (sockets[at] === null ? "unknown" : "silent"));
    for (let round = 0; round < 2; round++) {
      const isOpen = (at: number) => outcomes[at] === "silent";
      for (const [at, { datagram }] of questions.entries()) if (isOpen(at)) send(sockets[at] ?? -1, datagram);
      const end = performance.now() + limitMs;
      for (const at of questions.keys())
        if (isOpen(at)) outcomes[at] = receive(sockets[at] ?? -1, end - performance.now());
    }
    return outcomes;
  } finally {
    for (const fd of sockets) if (fd !== null) closeFd(fd);
  }
}

function tryOpen({ netns: path, server, port }: UdpQuestion): number | null {
  try {
    const netns = openNetnsIfExists(path);
    if (netns === null) return null;
    try {
      return withNetns(netns, () => open(server, port));
    } finally {
      netns.close();
    }
  } catch {
    // A container that goes meanwhile, or that has no way to the server, has nothing to say about it.
    return null;
  }
}

function open(server: Address, port: number): number {
  const domain = server.family === 4 ? AF_INET : AF_INET6;
  const fd = invokeOrThrow("socket", "udp", (c) => c.socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const name = socketAddress(server, port);
  if (invoke((c) => c.connect(fd, name, name.length)) === 0) return fd;
  closeFd(fd);
  throw new Error("no way to the server");
}

function send(fd: number, datagram: Uint8Array): void {
  invoke((c) => c.send(fd, datagram, datagram.length, 0));
}

function receive(fd: number, waitMs: number): UdpOutcome {
  setTimeoutOption(fd, SO_RCVTIMEO, Math.max(1, waitMs));
  const buffer = new Uint8Array(MOST_BYTES);
  const length = invoke((c) => c.recv(fd, buffer, buffer.length, 0));
  if (length > 0) return "answered";
  return length === -ECONNREFUSED ? "refused" : "silent";
}

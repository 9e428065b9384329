/** Queries over UDP on one address. The socket is bound to the address, so that answers come from it. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import type { ListenerOptions } from "./tcp.ts";

/** What may wait in the kernel while we are busy; it grants less where `net.core.rmem_max` says so. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

type UdpOptions = Omit<ListenerOptions, "clients">;

/** @throws with the `code` of the system: EADDRNOTAVAIL, EADDRINUSE, … */
export async function listenUdp(options: UdpOptions): Promise<Socket> {
  const type = isIPv6(options.address) ? "udp6" : "udp4";
  // The process that takes over from this one binds the address before this one lets it go. Of two sockets on one address the
  // kernel gives every datagram to the newer (net/ipv4/udp.c, udp4_lib_lookup2), so that none waits where nobody reads any more;
  // with SO_REUSEPORT both would get some.
  const socket = createSocket({ type, reuseAddr: true });
  try {
    socket.bind({ address: options.address, port: options.port, exclusive: true });
    await once(socket, "listening");
  } catch (thrown) {
    socket.close();
    throw thrown;
  }
  socket.on("error", () => {}); // An answer that could not be sent. The asker asks again.
  socket.on("message", (bytes, from) => receive(socket, { bytes, from }, options));
  enlargeBuffer(socket);
  return socket;
}

function enlargeBuffer(socket: Socket): void {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  } catch {
    // The default then holds a few hundred queries.
  }
}

function receive(
  socket: Socket,
  { bytes, from }: { bytes: Uint8Array; from: RemoteInfo },
  { handler, queue, networkName }: UdpOptions,
): void {
  // Port 0 cannot be answered; whoever sends from it wants to see what happens.
  if (from.port === 0) return;
  const source = { networkName: networkName(), address: from.address, transport: "udp" } as const;
  const asker = handler.askerOf(source);
  const run = (): void => {
    const reply = handler.handle(bytes, source);
    if (reply instanceof Promise) void reply.then((answer) => send(socket, answer, from));
    else send(socket, reply, from);
  };
  const turn = { networkName: source.networkName, asker: asker ?? "" };
  const isTaken = asker !== null && queue.submit(turn, { sizeBytes: bytes.length, run });
  if (!isTaken) handler.drop();
}

function send(socket: Socket, answer: Uint8Array | null, { port, address }: RemoteInfo): void {
  if (answer === null) return;
  try {
    socket.send(answer, port, address, () => {});
  } catch {
    // Closed meanwhile.
  }
}

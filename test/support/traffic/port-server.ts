/**
 * Answers on ports of the netns that it is started in, TCP and UDP, both families: with its name and who asked.
 *
 *     node port-server.ts NAME PORT…
 *
 * Says "ready" on stdout when every port is open; ends with its stdin.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const [name = "", ...ports] = process.argv.slice(2);

/** `::ffff:10.1.2.3` is how a socket of both families calls 10.1.2.3. */
function answer(address: string | undefined): string {
  return `${name} ${address?.replace(/^::ffff:/, "")}\n`;
}

function listen(port: number): Promise<unknown>[] {
  const tcp = createServer((socket) => socket.on("error", () => {}).end(answer(socket.remoteAddress)));
  const udp = createSocket("udp6");
  udp.on("message", (_, { address, port: from }) => udp.send(answer(address), from, address));
  return [
    new Promise((resolve) => tcp.listen(port, "::", () => resolve(null))),
    new Promise((resolve) => udp.bind(port, "::", () => resolve(null))),
  ];
}

await Promise.all(ports.flatMap((port) => listen(Number(port))));
process.stdout.write("ready\n");
process.stdin.on("data", () => {}).on("end", () => process.exit(0));

/**
 * A name server of "the internet", run by Node inside a netns: `node dns-upstream.ts ADDRESS [PORT]`.
 *
 * Knows `*.example.com` as 192.0.2.80 and `long.example.com` as 150 addresses, which do not fit UDP; the names that it
 * was asked for go to stdout, one a line.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { parseAddress } from "../../../lib/addr/address.ts";
import { FrameReader, frameMessage } from "../../../lib/dns/frames.ts";
import { decodeMessage, encodeMessage, LONGEST_MESSAGE_BYTES } from "../../../lib/dns/message.ts";

const DEFAULT_PORT = 53;
const UDP_BYTES = 1232;
const LONG = 150;

function answer(bytes: Uint8Array, limitBytes: number): Uint8Array {
  const query = decodeMessage(bytes);
  const name = query.questions[0]?.name ?? "";
  process.stdout.write(`${name}\n`);
  const isKnown = name.toLowerCase().endsWith(".example.com");
  const count = !isKnown || query.questions[0]?.type !== "A" ? 0 : name.startsWith("long.") ? LONG : 1;
  const answers = Array.from({ length: count }, (_, index) => ({
    name,
    type: "A" as const,
    class: 1,
    ttl: 300,
    data: { address: parseAddress(`192.0.2.${80 + index}`) },
  }));
  const flags = {
    ...query.flags,
    response: true,
    recursionAvailable: true,
    responseCode: isKnown ? 0 : 3,
  };
  return encodeMessage({ ...query, flags, answers, additional: [] }, limitBytes);
}

const address = process.argv[2] ?? "";
const port = Number(process.argv[3] ?? DEFAULT_PORT);
const udp = createSocket("udp4");
udp.on("message", (bytes, from) => udp.send(answer(bytes, UDP_BYTES), from.port, from.address));
udp.bind(port, address);
createServer((stream) => {
  const frames = new FrameReader();
  stream.on("error", () => {});
  stream.on("data", (chunk: Buffer) => {
    for (const message of frames.push(chunk)) {
      stream.write(frameMessage(answer(message, LONGEST_MESSAGE_BYTES)));
    }
  });
}).listen(port, address, () => process.stdout.write("ready\n"));

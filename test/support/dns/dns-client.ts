/**
 * Queries in numbers, run by Node inside a container's netns. Prints one line of JSON at its end.
 *
 *   load SERVER SECONDS CONCURRENCY NAME…   asks for the names' addresses over UDP, without ever asking twice; ends
 *                                           early at a line on stdin. {sent, answered, lost, negative, p50, p99, qps}
 *   insist SERVER SECONDS NAME…             the same, one question at a time, each asked again and again until it is answered:
 *                                           lost are those that were asked twenty times
 *   stall SERVER COUNT [again]              opens connections, begins a message on each, and holds them until a line
 *                                           comes on stdin; "again": opens one anew when it is closed. {opened, closed}
 *   fuzz SERVER FILE                        sends each line of FILE (hexadecimal), over UDP, and over TCP framed and
 *                                           not. {sent}
 *   flood SERVER                            asks as fast as it can, over UDP and TCP, until a line comes on stdin. {sent}
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, isIPv6, type Socket as Stream } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { frameMessage } from "../../../lib/dns/frames.ts";
import { encodeMessage, NO_FLAGS } from "../../../lib/dns/message.ts";

const PORT = Number(process.env["DNS_PORT"] ?? 53);
/** A query without an answer for as long is lost. */
const LOST_MS = 4_000;
/** How often, and how soon, a client that insists asks again. */
const INSISTENT = { tries: 20, waitMs: 1_000 };
/** How long connections may take to be there. */
const STALL_MS = 3_000;
const FLOOD_BURST = 200;
const FLOOD_STREAMS = 8;
/** How soon a stubborn client comes again. */
const REDIAL_MS = 1_000;

const [mode = "", server = "", ...rest] = process.argv.slice(2);

let isTold = false;
process.stdin.on("data", () => {
  isTold = true;
});

function query(id: number, name: string): Uint8Array {
  return encodeMessage({
    id,
    flags: { ...NO_FLAGS, recursionDesired: true },
    questions: [{ name, type: "A", class: 1 }],
    answers: [],
    authority: [],
    additional: [],
  });
}

interface Patience {
  readonly tries: number;
  readonly waitMs: number;
}

/** One socket that asks one question at a time. */
class Asker {
  readonly times: number[] = [];
  lost = 0;
  negative = 0;
  readonly #patience: Patience;
  readonly #socket: Socket = createSocket(isIPv6(server) ? "udp6" : "udp4");

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  async run(endAt: number, names: readonly string[]): Promise<void> {
    this.#socket.connect(PORT, server);
    await once(this.#socket, "connect");
    for (let id = 1; performance.now() < endAt && !isTold; id = (id + 1) & 0xffff) {
      await this.#ask(id, names[id % names.length] ?? "");
    }
    this.#socket.close();
  }

  async #ask(id: number, name: string): Promise<void> {
    const began = performance.now();
    const { tries, waitMs } = this.#patience;
    let bytes: Buffer | null = null;
    for (let attempt = 0; attempt < tries && bytes === null; attempt++)
      bytes = await this.#askOnce(query(id, name), id, waitMs);
    if (bytes === null) this.lost++;
    else if (bytes.readUInt16BE(6) === 0) this.negative++;
    this.times.push(performance.now() - began);
  }

  #askOnce(question: Uint8Array, id: number, waitMs: number): Promise<Buffer | null> {
    const answer = new Promise<Buffer | null>((resolve) => {
      const timer = setTimeout(() => {
        this.#socket.off("message", take);
        resolve(null);
      }, waitMs);
      const take = (bytes: Buffer): void => {
        if (bytes.readUInt16BE(0) !== id) return;
        clearTimeout(timer);
        this.#socket.off("message", take);
        resolve(bytes);
      };
      this.#socket.on("message", take);
    });
    this.#socket.send(question);
    return answer;
  }
}

interface Load {
  readonly seconds: number;
  readonly concurrency: number;
  readonly names: readonly string[];
  readonly patience: Patience;
}

async function load({ seconds, concurrency, names, patience }: Load): Promise<object> {
  const began = performance.now();
  const askers = Array.from({ length: concurrency }, () => new Asker(patience));
  await Promise.all(askers.map((asker) => asker.run(began + 1000 * seconds, names)));
  const times = askers.flatMap((asker) => asker.times).sort((a, b) => a - b);
  const sum = (of: (asker: Asker) => number) => askers.reduce((total, asker) => total + of(asker), 0);
  const lost = sum((asker) => asker.lost);
  const at = (share: number) => times[Math.floor(share * (times.length - 1))] ?? 0;
  return {
    sent: times.length,
    answered: times.length - lost,
    lost,
    negative: sum((asker) => asker.negative),
    p50: at(0.5),
    p99: at(0.99),
    qps: (1000 * times.length) / (performance.now() - began),
  };
}

async function stall(count: number, isStubborn: boolean): Promise<object> {
  let opened = 0;
  let closed = 0;
  const streams = new Set<Stream>();
  const open = (): void => {
    const stream = connect(PORT, server);
    streams.add(stream);
    stream.on("error", () => {});
    stream.on("connect", () => {
      opened++;
      stream.write(Uint8Array.of(1));
    });
    stream.on("close", () => {
      closed++;
      streams.delete(stream);
      if (isStubborn && !isTold) setTimeout(open, REDIAL_MS);
    });
  };
  for (let index = 0; index < count; index++) open();
  // A server that takes only so many leaves the others waiting.
  const endAt = performance.now() + STALL_MS;
  while (opened < count && performance.now() < endAt) await sleep(20);
  process.stdout.write("stalled\n");
  while (!isTold) await sleep(20);
  for (const stream of streams) stream.destroy();
  return { opened, closed };
}

async function fuzz(file: string): Promise<object> {
  const messages = readFileSync(file, "utf8")
    .split("\n")
    .map((line) => Buffer.from(line, "hex"));
  const socket = createSocket(isIPv6(server) ? "udp6" : "udp4");
  socket.on("error", () => {});
  let stream: Stream | null = null;
  const dial = async (): Promise<Stream> => {
    const made = connect(PORT, server);
    made.on("error", () => {});
    made.resume();
    await Promise.race([once(made, "connect"), once(made, "close"), sleep(1_000)]);
    return made;
  };
  for (const [index, bytes] of messages.entries()) {
    socket.send(bytes, PORT, server);
    if (stream === null || stream.destroyed || !stream.writable) stream = await dial();
    stream.write(index % 5 === 0 ? bytes : frameMessage(bytes));
    if (index % 20 === 0) await sleep(1);
  }
  socket.close();
  stream?.destroy();
  return { sent: messages.length };
}

/** As fast as the socket takes them, without looking at answers, over UDP and on several connections. */
async function flood(): Promise<object> {
  const bytes = query(1, "nosuch");
  const socket = createSocket(isIPv6(server) ? "udp6" : "udp4");
  socket.on("error", () => {});
  const streams = Array.from({ length: FLOOD_STREAMS }, () => connect(PORT, server).resume());
  for (const stream of streams) stream.on("error", () => {});
  const batch = Buffer.concat(Array.from({ length: 500 }, () => frameMessage(bytes)));
  process.stdout.write("flooding\n");
  let sent = 0;
  for (; !isTold; sent += FLOOD_BURST) {
    for (let index = 0; index < FLOOD_BURST; index++) socket.send(bytes, PORT, server);
    for (const stream of streams) if (!stream.writableNeedDrain) stream.write(batch);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { sent };
}

const modes: Readonly<Record<string, () => Promise<object>>> = {
  load: () =>
    load({
      seconds: Number(rest[0]),
      concurrency: Number(rest[1]),
      names: rest.slice(2),
      patience: { tries: 1, waitMs: LOST_MS },
    }),
  insist: () => load({ seconds: Number(rest[0]), concurrency: 1, names: rest.slice(1), patience: INSISTENT }),
  stall: () => stall(Number(rest[0]), rest[1] === "again"),
  fuzz: () => fuzz(rest[0] ?? ""),
  flood,
};
const result = await modes[mode]?.();
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);

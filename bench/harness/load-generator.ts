/**
 * A process that loads the IPAM service: N callers, each with one connection that it keeps, each acquiring one new
 * attachment after the other. Reads its orders as JSON from its first argument, prints a JSON report.
 *
 * It speaks HTTP/1.1 over sockets by itself: the load generator shares two cores with the server, and a full client
 * would take more of them than the server does.
 *
 * Usage: node bench/harness/load-generator.ts '{"socket":"…","networkName":"…","subnet":"…","callers":1,"seconds":5}'
 */
import { connect, type Socket } from "node:net";
import type { LoadOrder, LoadReport } from "./load.ts";

const HEADER_END = "\r\n\r\n";
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;
/** The service must answer; a caller that waits longer than this ends the run. */
const ANSWER_TIMEOUT_MS = 10_000;

const order = JSON.parse(process.argv[2] ?? "{}") as LoadOrder;
const latencies: number[] = [];
const startedAt = performance.now();
const endsAt = order.seconds === undefined ? Number.POSITIVE_INFINITY : startedAt + order.seconds * 1000;
const limit = order.count ?? Number.POSITIVE_INFINITY;
let started = 0;

/** The next request; undefined when the load is done. */
function nextRequest(): string | undefined {
  if (started >= limit || performance.now() >= endsAt) return undefined;
  started += 1;
  const { networkName, subnet, socket: _socket } = order;
  const key = { networkName, containerId: `load-${process.pid}-${started}`, ifname: "eth0" };
  const body = JSON.stringify({ key, declaration: { rangeSets: [[{ subnet }]] } });
  const head =
    "POST /v1/attachments/acquire HTTP/1.1\r\nhost: fairlead\r\ncontent-type: application/json\r\n";
  return `${head}content-length: ${Buffer.byteLength(body)}${HEADER_END}${body}`;
}

/** One caller. Resolves when the load is done. @throws on the first answer that is no success. */
function runCaller(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(order.socket);
    let sentAt = 0;
    let received = "";
    const send = () => {
      const request = nextRequest();
      if (request === undefined) return void socket.end(resolve);
      sentAt = performance.now();
      socket.write(request);
    };
    socket.setEncoding("latin1");
    socket.setTimeout(ANSWER_TIMEOUT_MS, () =>
      socket.destroy(new Error(`no answer in ${ANSWER_TIMEOUT_MS} ms`)),
    );
    socket.on("connect", send);
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      received += chunk;
      if (!isComplete(received)) return;
      if (!received.startsWith("HTTP/1.1 200")) return void fail(socket, received);
      latencies.push(performance.now() - sentAt);
      received = "";
      send();
    });
  });
}

/** True when `received` holds a whole answer. */
function isComplete(received: string): boolean {
  const end = received.indexOf(HEADER_END);
  if (end < 0) return false;
  const length = CONTENT_LENGTH.exec(received)?.[1];
  if (length === undefined) throw new Error(`an answer without content-length: ${received.slice(0, 200)}`);
  return received.length >= end + HEADER_END.length + Number(length);
}

function fail(socket: Socket, received: string): void {
  socket.destroy(new Error(`the service refused: ${received.slice(0, 1000)}`));
}

await Promise.all(Array.from({ length: order.callers }, runCaller));
const report: LoadReport = { seconds: (performance.now() - startedAt) / 1000, latenciesMs: latencies };
process.stdout.write(JSON.stringify(report));

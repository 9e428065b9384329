/**
 * One question to one upstream: over UDP from a port of its own, again over TCP when the answer was truncated.
 *
 * The socket is connected, so that the kernel takes answers from the upstream's address and port only, and tells at once
 * when nobody listens there.
 */
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { FrameReader, frameMessage } from "../../lib/dns/frames.ts";
import { readHeader } from "../../lib/dns/header.ts";
import type { Upstream } from "./upstreams.ts";

/** Tells the answer to this query from everything else that may arrive. */
export type IsAnswer = (bytes: Uint8Array) => boolean;

export interface Exchange {
  readonly upstream: Upstream;
  readonly query: Uint8Array;
  readonly isAnswer: IsAnswer;
  /** Both transports together. */
  readonly timeoutMs: number;
}

/** Resolves with the answer; rejects when none came in time, or the upstream cannot be reached. */
export async function exchange(request: Exchange): Promise<Uint8Array> {
  const began = performance.now();
  const answer = await overUdp(request);
  if (!readHeader(answer).value.truncated) return answer;
  const left = request.timeoutMs - (performance.now() - began);
  try {
    return await overTcp({ ...request, timeoutMs: Math.max(left, 1) });
  } catch {
    // Truncated is better than nothing: the asker may ask over TCP itself.
    return answer;
  }
}

function overUdp({ upstream, query, isAnswer, timeoutMs }: Exchange): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(upstream.address) ? "udp6" : "udp4");
    let isOver = false;
    const end = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      socket.close();
      settle();
    };
    const fail = (error: Error): void => end(() => reject(error));
    const timer = setTimeout(fail, timeoutMs, new Error(`no answer within ${timeoutMs} ms`));
    socket.on("error", fail);
    socket.on("message", (bytes) => {
      if (isAnswer(bytes)) end(() => resolve(bytes));
    });
    // By its event: the callback would also be told of failures.
    socket.on("connect", () => {
      if (!isOver) socket.send(query, (error) => error && fail(error));
    });
    socket.connect(upstream.port, upstream.address);
  });
}

function overTcp({ upstream, query, isAnswer, timeoutMs }: Exchange): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = connect(upstream.port, upstream.address);
    const frames = new FrameReader();
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      socket.destroy();
      settle();
    };
    const fail = (error: Error): void => end(() => reject(error));
    const timer = setTimeout(fail, timeoutMs, new Error(`no answer within ${timeoutMs} ms`));
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("the connection was closed")));
    socket.on("connect", () => socket.write(frameMessage(query)));
    socket.on("data", (chunk) => {
      const answer = frames.push(chunk as Buffer).find(isAnswer);
      if (answer) end(() => resolve(answer));
    });
  });
}

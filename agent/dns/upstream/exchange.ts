/**
 * One question to one upstream: over UDP from a port of its own, asked again while no answer comes; over TCP when the answer
 * was truncated.
 *
 * The socket is connected, so that the kernel takes answers from the upstream's address and port only, and tells at once
 * when nobody listens there. It stays open while others are asked: an answer that comes late is an answer.
 */
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { FrameReader, frameMessage } from "../../../lib/dns/frames.ts";
import { readHeader } from "../../../lib/dns/header.ts";
import type { Upstream } from "./servers.ts";

/** Tells the answer to this query from everything else that may arrive. */
type IsAnswer = (bytes: Uint8Array) => boolean;

export interface Exchange {
  readonly upstream: Upstream;
  readonly query: Uint8Array;
  readonly isAnswer: IsAnswer;
  /** When the same datagram is sent again, in milliseconds after the first: it, or its answer, may have been lost. */
  readonly resendMs: readonly number[];
  /** Nobody wants the answer any more. */
  readonly signal: AbortSignal;
}

/** Resolves with the answer; rejects when the upstream cannot be reached, or the signal came. Waits as long as that takes. */
export async function exchange(request: Exchange): Promise<Uint8Array> {
  const answer = await overUdp(request);
  if (!readHeader(answer).value.truncated) return answer;
  try {
    return await overTcp(request);
  } catch {
    // Truncated is better than nothing: the asker may ask over TCP itself.
    return answer;
  }
}

function overUdp({ upstream, query, isAnswer, resendMs, signal }: Exchange): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(upstream.address) ? "udp6" : "udp4");
    let timers: NodeJS.Timeout[] = [];
    let isOver = false;
    const end = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      for (const timer of timers) clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.close();
      settle();
    };
    const fail = (error: Error): void => end(() => reject(error));
    const abort = (): void => fail(new Error("nobody waits for it any more"));
    const send = (): void => {
      if (!isOver) socket.send(query, (error) => error && fail(error));
    };
    signal.addEventListener("abort", abort);
    socket.on("error", fail);
    socket.on("message", (bytes) => {
      if (isAnswer(bytes)) end(() => resolve(bytes));
    });
    // By its event: the callback would also be told of failures.
    socket.on("connect", () => {
      send();
      if (!isOver) timers = resendMs.map((ms) => setTimeout(send, ms));
    });
    if (signal.aborted) abort();
    else socket.connect(upstream.port, upstream.address);
  });
}

function overTcp({ upstream, query, isAnswer, signal }: Exchange): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = connect(upstream.port, upstream.address);
    const frames = new FrameReader();
    const end = (settle: () => void): void => {
      signal.removeEventListener("abort", abort);
      socket.destroy();
      settle();
    };
    const fail = (error: Error): void => end(() => reject(error));
    const abort = (): void => fail(new Error("nobody waits for it any more"));
    signal.addEventListener("abort", abort);
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("the connection was closed")));
    socket.on("connect", () => socket.write(frameMessage(query)));
    socket.on("data", (chunk) => {
      const answer = frames.push(chunk as Buffer).find(isAnswer);
      if (answer) end(() => resolve(answer));
    });
    if (signal.aborted) abort();
  });
}

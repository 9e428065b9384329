/**
 * A resident worker: a process of the agent that runs plugins which are hot.
 *
 * Several of them share one listening socket. Each serves one request at a time, synchronously, like the process that it stands
 * in for: it may enter a container's namespace, and nothing else happens meanwhile. It ends by itself when its control pipe
 * does, which is when the agent ends, however that happens.
 */
import { invoke } from "../../lib/linux/calls/errno.ts";
import { residentMib, strayThreads } from "../../lib/linux/processes/own-process.ts";
import { acceptConnection, Readiness, receiveNow } from "../../lib/linux/sockets/listening-socket.ts";
import { LIFE_SIGN, type ResidentRequest } from "../../lib/resident/frames.ts";
import { type AttachmentLocks, openLocksIfPossible } from "../attachment-order.ts";
import { attachmentOf, reasonToDecline } from "./admission.ts";
import { Connection } from "./connection.ts";
import { type InvocationEnd, type PluginMain, runInvocation } from "./invocation.ts";

/** After so many requests a worker makes room for a new one, whatever it may have gathered. */
const MOST_REQUESTS = 20_000;
/** And when it has grown larger than this; it begins with some 60. */
const MOST_RESIDENT_MIB = 256;
const MSG_NOSIGNAL = 0x4000;
/** Requests that may pass before the worker looks whether it is still in order. */
const MOST_REQUESTS_UNSEEN = 16;

export interface WorkerOptions {
  readonly plugins: ReadonlyMap<string, PluginMain>;
  /** Listening socket, shared with others. */
  readonly listening: number;
  /** Readable when the worker shall end. */
  readonly control: number;
  /** Where the client must stand too, see `placeOf`. */
  readonly place: string;
  readonly log: (message: string) => void;
}

/** Why a worker ended. */
export type WorkerEnd = "told" | "used-up" | "stray-thread";

/** Answers the agent, which wants to know whether the worker hangs. False when the pipe has ended. */
function givesLifeSign(control: number): boolean {
  const question = new Uint8Array(LIFE_SIGN.length);
  if (receiveNow(control, question) === "end") return false;
  invoke((c) => c.send(control, LIFE_SIGN, LIFE_SIGN.length, MSG_NOSIGNAL));
  return true;
}

export class Worker {
  readonly #options: WorkerOptions;
  readonly #threads = new Set<string>();
  readonly #locks: AttachmentLocks | null;
  #requests = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#locks = openLocksIfPossible(options.log);
  }

  /** Serves until it is told to end, or had better be replaced. @throws when a plugin throws. */
  run(): WorkerEnd {
    const { listening, control } = this.#options;
    const readiness = new Readiness([listening, control]);
    for (let sinceLook = 0; ; ) {
      let ready = readiness.wait(0);
      // Looking costs as much as a tenth of a request, so that it waits for a moment without one, but not for ever.
      if (sinceLook > 0 && (ready.length === 0 || sinceLook >= MOST_REQUESTS_UNSEEN)) {
        sinceLook = 0;
        const reason = this.#reasonToEnd();
        if (reason !== null) return reason;
      }
      if (ready.length === 0) ready = readiness.wait(-1);
      if (ready.includes(control) && !givesLifeSign(control)) return "told";
      if (!ready.includes(listening)) continue;
      this.#acceptOne();
      sinceLook += 1;
    }
  }

  #acceptOne(): void {
    const fd = acceptConnection(this.#options.listening);
    if (fd === null) return;
    const connection = new Connection(fd);
    try {
      const request = connection.receiveRequest();
      if (request !== null) this.#serve(connection, request);
    } finally {
      connection.close();
    }
  }

  #serve(connection: Connection, request: ResidentRequest): void {
    const { plugins, place, log } = this.#options;
    const main = plugins.get(request.plugin);
    const reason = main ? reasonToDecline(request, connection.peer(), place) : "no such plugin";
    if (main === undefined || reason !== null) {
      connection.decline();
      log(`declined ${request.plugin}: ${reason}`);
      return;
    }
    const letGo = this.#hold(request);
    if (letGo === null) {
      // It waits for the earlier call in its own process: here others would wait behind it.
      connection.decline();
      return;
    }
    let end: InvocationEnd;
    try {
      if (!connection.take()) return;
      this.#requests += 1;
      end = runInvocation(main, request, connection);
    } finally {
      // Before the answer: the next call for the attachment may come the moment that it is there.
      letGo();
    }
    if ("answer" in end) connection.answer(end.answer);
    else if (end.log !== "") log(end.log);
  }

  /** Keeps other calls for the attachment away; null where there is one that does not end at once. */
  #hold(request: ResidentRequest): (() => void) | null {
    const key = attachmentOf(request);
    return key === null || this.#locks === null ? () => {} : this.#locks.holdSoon(key);
  }

  #reasonToEnd(): WorkerEnd | null {
    if (strayThreads(this.#threads) > 0) return "stray-thread";
    if (this.#requests >= MOST_REQUESTS) return "used-up";
    return residentMib() > MOST_RESIDENT_MIB ? "used-up" : null;
  }
}

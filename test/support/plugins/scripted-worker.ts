/** A resident worker that does what a test says: what matters here is what its client makes of it. */
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  DECLINED,
  decodeRequest,
  encodeAnswer,
  RECEIVED,
  type ResidentRequest,
  requestBytes,
  TAKEN,
} from "../../../lib/resident/frames.ts";

/** What the worker does after it has read a whole request. */
export type Step =
  | { readonly send: Uint8Array }
  | { readonly waitMs: number }
  /** Hangs up. */
  | "end";

export const TAKE: Step = { send: new Uint8Array([TAKEN]) };
export const DECLINE: Step = { send: new Uint8Array([DECLINED]) };

export interface Output {
  readonly exitCode?: number;
  readonly stdout?: string | Uint8Array;
  readonly stderr?: string;
}

/** The answer's bytes, without the word that comes before. */
export function answerOf({ exitCode = 0, stdout = "", stderr = "" }: Output): Uint8Array {
  return encodeAnswer({ exitCode, stdout: bytesOf(stdout), stderr: bytesOf(stderr) });
}

function bytesOf(output: string | Uint8Array): Uint8Array {
  return typeof output === "string" ? new TextEncoder().encode(output) : output;
}

export class ScriptedWorker {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  /** Of clients since the last script. */
  #gone: Promise<unknown>[] = [];
  /** Whole requests, in the order in which they came. */
  readonly requests: ResidentRequest[] = [];
  /** Clients that said that they passed the answer on. */
  receipts = 0;
  /** Clients that it hung up on, by its script. */
  hangUps = 0;
  /** Codes of the errors that sending met. */
  readonly errors: string[] = [];
  script: readonly Step[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens at `path`. */
  static async listen(path: string): Promise<ScriptedWorker> {
    const server = createServer({ allowHalfOpen: true });
    const worker = new ScriptedWorker(server);
    server.on("connection", (client) => worker.#serve(client));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return worker;
  }

  /** Forgets what came, and does this from now on. */
  follow(...script: readonly Step[]): void {
    this.script = script;
    this.requests.length = 0;
    this.receipts = 0;
    this.hangUps = 0;
    this.#gone = [];
    this.errors.length = 0;
  }

  /** Resolves when every client that came since the last script has gone. */
  async idle(): Promise<void> {
    await Promise.all(this.#gone);
  }

  close(): Promise<void> {
    for (const client of this.#open) client.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #serve(client: Socket): void {
    let received = Buffer.alloc(0);
    this.#open.add(client);
    this.#gone.push(new Promise((resolve) => client.once("close", resolve)));
    client.on("close", () => this.#open.delete(client));
    client.on("error", (error: NodeJS.ErrnoException) => this.errors.push(error.code ?? error.message));
    client.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const whole = requestBytes(received);
      if (whole === received.length - 1 && received.at(-1) === RECEIVED) this.receipts += 1;
      if (whole !== received.length) return;
      const request = decodeRequest(received);
      if (request !== null) this.requests.push(request);
      void this.#play(client);
    });
  }

  #hangUp(client: Socket): void {
    this.hangUps += 1;
    client.destroy();
  }

  async #play(client: Socket): Promise<void> {
    for (const step of this.script) {
      if (step === "end") this.#hangUp(client);
      else if ("waitMs" in step) await sleep(step.waitMs);
      else await new Promise((resolve) => client.write(step.send, resolve));
    }
  }
}

/** A service in memory and the fronts before it, for tests. */

import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createGrpcFront,
  type GrpcFront,
  type GrpcFrontOptions,
} from "../../../ipam-server/fronts/grpc/front.ts";
import {
  createHttpFront,
  type HttpFront,
  type HttpFrontOptions,
} from "../../../ipam-server/fronts/http/front.ts";
import { createMetrics } from "../../../ipam-server/fronts/metrics.ts";
import { createValidators } from "../../../ipam-server/fronts/schema/validation.ts";
import { openIpamService, type RunningService } from "../../../ipam-server/service.ts";
import { MemoryStore } from "../../../ipam-server/store/memory/store.ts";
import { ManualClock } from "../../../lib/clock.ts";
import { silentLogger } from "../../../lib/log.ts";

export const TEST_CALLER = { actor: "uid:0", node: "n1" };

export interface TestService {
  readonly service: RunningService;
  readonly clock: ManualClock;
}

export async function openTestService(): Promise<TestService> {
  const clock = new ManualClock();
  const defaultPools = [
    { base: "10.77.0.0/16", size: 24 },
    { base: "fd77::/48", size: 64 },
  ];
  const defaults = { coolingSeconds: 60, defaultPools };
  const service = await openIpamService({ store: new MemoryStore(), clock, defaults, version: "1.2.3" });
  return { service, clock };
}

// Compiling the schemas takes a while, and they do not change.
const validators = createValidators();

/** What both fronts are made of. */
function frontParts(service: RunningService) {
  return {
    service,
    validators,
    metrics: createMetrics(service),
    logger: silentLogger,
    caller: TEST_CALLER,
    unreadyReasons: async (): Promise<readonly string[]> => [],
    version: "1.2.3",
    token: null,
  };
}

/** Not listening yet; `over` replaces parts. */
export function openHttpFront(
  service: RunningService,
  over: Partial<HttpFrontOptions> = {},
): Promise<HttpFront> {
  return createHttpFront({ ...frontParts(service), ...over });
}

/** Not listening yet; `over` replaces parts. */
export function openGrpcFront(service: RunningService, over: Partial<GrpcFrontOptions> = {}): GrpcFront {
  return createGrpcFront({ ...frontParts(service), isServing: async () => true, ...over });
}

/** A directory that goes with the test. */
export class TemporaryDirectory {
  readonly path = mkdtempSync(join(tmpdir(), "fairlead-test-"));

  file(name: string): string {
    return join(this.path, name);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Null when the text is no JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  readonly body: any;
}

export interface Call {
  readonly method?: string;
  readonly url: string;
  /** Sent as it is when it is text, as JSON otherwise. */
  readonly payload?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends one request to a unix socket, on a connection of its own. */
export function callSocket(
  socketPath: string,
  { method = "GET", url, payload, headers = {} }: Call,
): Promise<Answer> {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  const json = payload === undefined ? {} : { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const all = { ...json, connection: "close", ...headers };
    const sent = httpRequest({ socketPath, method, path: url, headers: all }, (response) => {
      let received = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        received += chunk;
      });
      response.on("end", () => {
        const body = /^[{[]/.test(received) ? JSON.parse(received) : null;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: received, body });
      });
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(text);
  });
}

/** A front that listens on a socket of its own. */
export class ListeningFront {
  readonly #directory = new TemporaryDirectory();
  readonly socket = this.#directory.file("front.sock");
  readonly front: HttpFront;

  private constructor(front: HttpFront) {
    this.front = front;
  }

  static async open(front: HttpFront | Promise<HttpFront>): Promise<ListeningFront> {
    const listening = new ListeningFront(await front);
    await listening.front.app.listen({ path: listening.socket });
    return listening;
  }

  call(call: Call): Promise<Answer> {
    return callSocket(this.socket, call);
  }

  async close(): Promise<void> {
    await this.front.close();
    this.#directory.remove();
  }
}

/** The service with some of its methods replaced. */
export function withMethods<S extends object>(service: S, methods: Partial<S>): S {
  return new Proxy(service, {
    get(target, name) {
      const replaced = methods[name as keyof S];
      if (replaced !== undefined) return replaced;
      const own: unknown = Reflect.get(target, name);
      return typeof own === "function" ? own.bind(target) : own;
    },
  });
}

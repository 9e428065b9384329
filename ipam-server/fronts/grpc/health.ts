/**
 * The standard health service, for the whole server ("") and for fairlead.v1.IpamService.
 *
 * Source: gRPC Health Checking Protocol, grpc/doc/health-checking.md.
 */
import { type ServerWritableStream, status as StatusCode } from "@grpc/grpc-js";
import type {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthServer,
} from "../../../lib/rpc/generated/grpc/health/v1/health.ts";

/** How often watchers' answers are compared with the state of the service. */
const WATCH_INTERVAL_MS = 2_000;

export interface HealthOptions {
  /** Full names of the services that the server has. */
  readonly services: readonly string[];
  readonly isServing: () => Promise<boolean>;
  /** Aborts when the server shuts down: from then on nothing is serving, and all watches end. */
  readonly signal: AbortSignal;
}

export function healthHandlers({ services, isServing, signal }: HealthOptions): HealthServer {
  const known = new Set(["", ...services]);
  const current = async (): Promise<HealthCheckResponse> => ({
    status: !signal.aborted && (await isServing()) ? "SERVING" : "NOT_SERVING",
  });
  return {
    check: async (call, callback) => {
      if (known.has(call.request.service)) callback(null, await current());
      else callback({ code: StatusCode.NOT_FOUND, details: `unknown service ${call.request.service}` });
    },
    list: async (_call, callback) => {
      const answer = await current();
      callback(null, { statuses: Object.fromEntries([...known].map((name) => [name, answer])) });
    },
    watch: (call) => {
      // An unknown service may come to be, says the protocol; here none ever does.
      if (known.has(call.request.service)) watch(call, current, signal);
      else call.write({ status: "SERVICE_UNKNOWN" });
    },
  };
}

/** Writes the state at once, and again each time that it has changed. */
function watch(
  call: ServerWritableStream<HealthCheckRequest, HealthCheckResponse>,
  current: () => Promise<HealthCheckResponse>,
  signal: AbortSignal,
): void {
  let last = "";
  const report = async (): Promise<void> => {
    const { status } = await current();
    if (status !== last) call.write({ status });
    last = status;
  };
  const timer = setInterval(report, WATCH_INTERVAL_MS);
  const stop = (): void => {
    clearInterval(timer);
    signal.removeEventListener("abort", shutDown);
  };
  const shutDown = async (): Promise<void> => {
    stop();
    await report();
    call.end();
  };
  signal.addEventListener("abort", shutDown);
  call.on("cancelled", stop);
  void report();
}

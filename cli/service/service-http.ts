/** The service over its unix socket, by the runtime's own HTTP client. */

import { OPERATIONS } from "../../lib/ipam/operations.ts";
import { createHttpClient } from "../../lib/rpc/http-client.ts";
import type { OpenService } from "../base/service.ts";

/** After this time people are told what they wait for. */
const SLOW_MS = 1_000;

/** @param onSlow told what is waited for when an answer takes longer than a second. */
export function httpService(socket: string, onSlow: (what: string) => void): OpenService {
  const client = createHttpClient({
    endpoint: { socket },
    slow: { ms: SLOW_MS, tell: (name) => onSlow(`${OPERATIONS[name].title}: waiting for the service`) },
  });
  return { service: client, close: () => client.close() };
}

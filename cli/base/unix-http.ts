/**
 * One exchange over a unix socket by plain system calls, waited for in place.
 *
 * For what happens between the steps of an attachment, which are system calls that wait, too, and for the agent's one answer after
 * them. Everything else asks by service-http.ts.
 */
import { errorFromJson } from "../../lib/errors.ts";
import {
  encodeRequest,
  type HttpResponse,
  type HttpVersion,
  isCompleteResponse,
  parseResponse,
} from "../../lib/ipam/http-message.ts";
import type { RequestParts } from "../../lib/ipam/operations.ts";
import { parseJsonAnswer } from "../../lib/json-answer.ts";
import { beginExchange } from "../../lib/linux/sockets/stream-socket.ts";

/** A list of half a million leases has some 300 MB. What asks has to hold it, and nothing else. */
const LONGEST_ANSWER_BYTES = 2 ** 30;
/** After this time people are told what they wait for. */
const SLOW_MS = 1_000;

export interface Asking {
  readonly socket: string;
  readonly timeoutMs: number;
  /** Called once when the answer takes longer than a second. */
  readonly onSlow?: () => void;
  /** Default 1.1. With 1.0 the answer ends with the connection, whoever serves; with 1.1 others may send chunks. */
  readonly httpVersion?: HttpVersion;
}

/** @throws FairleadError `unavailable`, `timeout`, `decode-failure` */
export function askText({ method, target, body = "" }: RequestParts, asking: Asking): HttpResponse {
  const { socket, timeoutMs, onSlow, httpVersion } = asking;
  const request = encodeRequest({ method, target, body, version: httpVersion });
  const pending = beginExchange(socket, request, {
    timeoutMs,
    isComplete: isCompleteResponse,
    maxBytes: LONGEST_ANSWER_BYTES,
  });
  if (onSlow !== undefined && !pending.isAnswered(SLOW_MS)) onSlow();
  return parseResponse(pending.finish());
}

/**
 * The same of one of Fairlead's own sockets; undefined when the answer has no body.
 * @throws also the error that the service answers.
 */
export function askJson(parts: RequestParts, asking: Asking): unknown {
  const { status, body } = askText(parts, asking);
  const value = body === "" ? undefined : parseJsonAnswer(body, asking.socket);
  if (status >= 200 && status < 300) return value;
  throw errorFromJson((value as { error?: unknown } | undefined)?.error ?? body);
}

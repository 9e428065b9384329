/**
 * One GET over a unix socket, waited for in place.
 *
 * HTTP/1.0, because then the answer comes in one piece that ends with the connection, whoever serves.
 */

import { errorFromJson } from "../../lib/errors.ts";
import { isCompleteResponse, parseResponse } from "../../lib/ipam/http-message.ts";
import { parseJsonAnswer } from "../../lib/json-answer.ts";
import { exchange } from "../../lib/linux/stream-socket.ts";

export interface TextResponse {
  readonly status: number;
  readonly body: string;
}

/** @throws FairleadError `unavailable`, `timeout`, `decode-failure` */
export function getText(socket: string, target: string, timeoutMs: number): TextResponse {
  const head = `GET ${target} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n`;
  const request = new TextEncoder().encode(head);
  return parseResponse(exchange(socket, request, { timeoutMs, isComplete: isCompleteResponse }));
}

/** The same of one of Fairlead's own sockets. @throws also the error that the service answers. */
export function getJson(socket: string, target: string, timeoutMs: number): unknown {
  const { status, body } = getText(socket, target, timeoutMs);
  const value = parseJsonAnswer(body, socket);
  if (status >= 200 && status < 300) return value;
  throw errorFromJson((value as { error?: unknown } | null)?.error ?? body);
}

/**
 * Just enough HTTP/1.1 for one exchange over a unix socket: one request out, one response back, connection closed.
 *
 * A plugin lives for ten milliseconds; loading an HTTP client would cost it another one or two.
 *
 * Source: RFC 9112 (message syntax), RFC 9110 (semantics).
 */
import { FairleadError } from "../errors.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface HttpResponse {
  readonly status: number;
  readonly body: string;
}

type Method = "GET" | "POST" | "DELETE";
export type HttpVersion = "1.0" | "1.1";

interface HttpRequest {
  readonly method: Method;
  /** With its query. */
  readonly target: string;
  /** JSON text; absent: none. */
  readonly body?: string | undefined;
  readonly version?: HttpVersion | undefined;
}

/** A request that asks the server to close the connection afterwards. */
export function encodeRequest({ method, target, body = "", version = "1.1" }: HttpRequest): Uint8Array {
  const payload = encoder.encode(body);
  const head =
    `${method} ${target} HTTP/${version}\r\nHost: fairlead\r\nConnection: close\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${payload.length}\r\n\r\n`;
  const headBytes = encoder.encode(head);
  const request = new Uint8Array(headBytes.length + payload.length);
  request.set(headBytes);
  request.set(payload, headBytes.length);
  return request;
}

const CR = 13;
const LF = 10;

/** Where the body starts, or -1 while the head is not complete. */
function bodyOffset(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(CR); at >= 0; at = bytes.indexOf(CR, at + 1)) {
    if (bytes[at + 1] === LF && bytes[at + 2] === CR && bytes[at + 3] === LF) return at + 4;
  }
  return -1;
}

interface Head {
  readonly status: number;
  /** Null: the body ends where the connection does. */
  readonly contentLength: number | null;
  /** The body comes in chunks: a server that does not know the length of a long list beforehand. */
  readonly isChunked: boolean;
  readonly bodyAt: number;
}

const STATUS_AT = "HTTP/1.1 ".length;

function parseHead(bytes: Uint8Array): Head | null {
  const bodyAt = bodyOffset(bytes);
  if (bodyAt < 0) return null;
  const head = decoder.decode(bytes.subarray(0, bodyAt));
  const status = Number(head.slice(STATUS_AT, STATUS_AT + 3));
  if (!head.startsWith("HTTP/1.") || !(status >= 100 && status <= 599)) {
    throw malformed(`status line ${JSON.stringify(head.slice(0, head.indexOf("\r")).slice(0, 80))}`);
  }
  const encoding = field(head, "transfer-encoding")?.toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "chunked")
    throw malformed(`transfer encoding ${encoding.slice(0, 80)}`);
  const length = field(head, "content-length");
  const contentLength = length === null || encoding !== "" ? null : Number(length);
  return { status, contentLength, isChunked: encoding !== "", bodyAt };
}

/** The value of a header field, or null. Source: RFC 9112 §5: names match in any case. */
function field(head: string, name: string): string | null {
  const start = head.toLowerCase().indexOf(`\r\n${name}:`);
  if (start < 0) return null;
  const valueAt = start + name.length + 3;
  return head.slice(valueAt, head.indexOf("\r\n", valueAt)).trim();
}

function malformed(what: string): FairleadError {
  return new FairleadError({
    code: "decode-failure",
    operation: "read the answer of the IPAM service",
    reason: `not HTTP: ${what}`,
    hint: "check that the socket is Fairlead's",
  });
}

const LAST_CHUNK = encoder.encode("\r\n0\r\n\r\n");

/**
 * True once `bytes` hold a whole response. A response of no stated length is whole only at end of stream.
 *
 * A body in chunks counts as whole where it ends as the last chunk does: {@link parseResponse} decides. Looking through all
 * chunks after every few bytes would take time that grows with the square of their number.
 */
export function isCompleteResponse(bytes: Uint8Array): boolean {
  const head = parseHead(bytes);
  if (!head) return false;
  if (head.isChunked) return endsWithLastChunk(bytes, head.bodyAt);
  return head.contentLength !== null && bytes.length >= head.bodyAt + head.contentLength;
}

/** The end of line of the head counts as that before the last chunk: an empty body has no other. */
function endsWithLastChunk(bytes: Uint8Array, bodyAt: number): boolean {
  const from = bytes.length - LAST_CHUNK.length;
  return from >= bodyAt - 2 && LAST_CHUNK.every((byte, at) => bytes[from + at] === byte);
}

/** @throws FairleadError decode-failure when `bytes` are not one whole HTTP response. */
export function parseResponse(bytes: Uint8Array): HttpResponse {
  const head = parseHead(bytes);
  if (!head)
    throw malformed(bytes.length === 0 ? "the connection was closed without an answer" : "incomplete head");
  const payload = bytes.subarray(head.bodyAt);
  if (head.isChunked) return { status: head.status, body: decoder.decode(joinChunks(payload)) };
  if (head.contentLength !== null && payload.length < head.contentLength)
    throw malformed("the body is cut short");
  const body = payload.subarray(0, head.contentLength ?? payload.length);
  return { status: head.status, body: decoder.decode(body) };
}

/** Source: RFC 9112 §7.1; trailers are passed over. */
function joinChunks(payload: Uint8Array): Uint8Array {
  const whole = new Uint8Array(payload.length);
  let length = 0;
  for (let at = 0; ; ) {
    const { size, dataAt } = readChunkSize(payload, at);
    if (size === 0) return whole.subarray(0, length);
    at = dataAt + size + 2;
    if (at > payload.length) throw malformed("the body is cut short");
    whole.set(payload.subarray(dataAt, dataAt + size), length);
    length += size;
  }
}

/** Longest line of a chunk: its size and what a server may say about it. */
const LONGEST_CHUNK_LINE = 256;

function readChunkSize(payload: Uint8Array, at: number): { readonly size: number; readonly dataAt: number } {
  const end = payload.subarray(at, at + LONGEST_CHUNK_LINE).indexOf(LF);
  if (end < 0) throw malformed("the body is cut short");
  const [, digits] =
    /^([0-9a-fA-F]{1,12})\s*(?:;.*)?$/.exec(decoder.decode(payload.subarray(at, at + end)).trimEnd()) ?? [];
  if (digits === undefined) throw malformed("a chunk has no size");
  return { size: Number.parseInt(digits, 16), dataAt: at + end + 1 };
}

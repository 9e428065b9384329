import { encodeRequest, isCompleteResponse, parseResponse } from "./http-message.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (b: Uint8Array) => new TextDecoder().decode(b);
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const OK = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 9\r\n\r\n{"a":"ä"}';

test("a request states its length in bytes, not characters", () => {
  const request = text(encodeRequest({ method: "POST", target: "/v1/x", body: '{"name":"ä"}' }));
  expect(request).toBe(
    "POST /v1/x HTTP/1.1\r\nHost: fairlead\r\nConnection: close\r\n" +
      'Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{"name":"ä"}',
  );
});

test("a response is complete at its last byte and not before", () => {
  const whole = bytes(OK.replace("length: 9", "length: 10"));
  for (let n = 0; n < whole.length; n++) expect(isCompleteResponse(whole.subarray(0, n))).toBe(false);
  expect(isCompleteResponse(whole)).toBe(true);
  expect(parseResponse(whole)).toEqual({ status: 200, body: '{"a":"ä"}' });
});

test("without a length the body ends with the connection", () => {
  const whole = bytes("HTTP/1.1 503 Busy\r\n\r\nlater");
  expect(isCompleteResponse(whole)).toBe(false);
  expect(parseResponse(whole)).toEqual({ status: 503, body: "later" });
});

test.each([100, 599])("%i is a status", (status) => {
  expect(parseResponse(bytes(`HTTP/1.1 ${status} x\r\n\r\n`))).toEqual({ status, body: "" });
});

test.each([
  ["", "0\r\n\r\n"],
  ['{"a":"ä"}', '6\r\n{"a":"\r\n4;x=y\r\nä"}\r\n0\r\n\r\n'],
  ["sixteen letters.", "010 ;x\r\nsixteen letters.\r\n0\r\n\r\n"],
  ["\r\n0\r\n\r\n!", "8\r\n\r\n0\r\n\r\n!\r\n0\r\n\r\n"],
])("a body in chunks is joined: %j", (body, chunks) => {
  const whole = bytes(CHUNKED + chunks);
  expect(isCompleteResponse(whole)).toBe(true);
  expect(isCompleteResponse(whole.subarray(0, -1))).toBe(false);
  expect(parseResponse(whole)).toEqual({ status: 200, body });
});

test("the body starts after the first empty line, whatever single CR and LF stand before it", () => {
  const head = "HTTP/1.1 200 OK\r\nA\nB: 1\r\nx\ry\r\n\rz\r\nz\r\r\nz\r\r\r\nContent-Length: 2\r\n\r\n";
  expect(parseResponse(bytes(`${head}ab`))).toEqual({ status: 200, body: "ab" });
});

test("half a last chunk ends no body", () => {
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab";
  for (const end of ["\r\n", "\r\n0\r\n", "\r\n0\r\n\r", "0\r\n\r\n"])
    expect(isCompleteResponse(bytes(chunked + end))).toBe(false);
});

test("what ends as the last chunk does, and is the head's, ends no body", () => {
  const head = bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n0\r\n\r\n");
  expect(isCompleteResponse(head)).toBe(false);
});

test.each([
  ["nothing", "", "closed without an answer"],
  ["half a head", "HTTP/1.1 200 OK\r\nConte", "incomplete head"],
  ["a head of nothing", "\r\n\r\n", "status line"],
  ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", 'status line "SSH-2.0-OpenSSH_9.2"'],
  ["another protocol with a number in the same place", "ICAP/1.0 200 OK\r\n\r\n", "status line"],
  ["a long line of another protocol", `${"x".repeat(999)}\r\n\r\n`, `status line "${"x".repeat(80)}"`],
  ["a status that is no number", "HTTP/1.1 OK\r\n\r\n", "status line"],
  ["a status below all", "HTTP/1.1 099 OK\r\n\r\n", "status line"],
  ["a status above all", "HTTP/1.1 600 OK\r\n\r\n", "status line"],
  ["a cut body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "cut short"],
  ["a cut chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "cut short"],
  ["no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "cut short"],
  ["a chunk without a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxy\r\nab", "no size"],
  ["a size after other text", `${CHUNKED}x2\r\nab\r\n0\r\n\r\n`, "no size"],
  ["a size before other text", `${CHUNKED}2x\r\nab\r\n0\r\n\r\n`, "no size"],
  ["a size beyond all", `${CHUNKED}${"f".repeat(13)}\r\nab\r\n0\r\n\r\n`, "no size"],
  ["another encoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer encoding gzip"],
])("%s is a decode failure that says so", (_name, raw, reason) => {
  expect(() => parseResponse(bytes(raw))).toThrow(expect.objectContaining({ code: "decode-failure" }));
  expect(() => parseResponse(bytes(raw))).toThrow(reason);
});

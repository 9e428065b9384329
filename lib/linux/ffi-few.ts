/**
 * The few functions that hand a plugin's request to a resident worker, and nothing else: binding all of them, and the errors
 * that go with them, would take longer than the request.
 */
import { bindWithBun } from "./ffi-bun.ts";
import { type Libc, SIGNATURES } from "./libc.ts";

export type FewCalls = Pick<
  Libc,
  "socket" | "connect" | "send" | "recv" | "poll" | "shutdown" | "close" | "read" | "write"
>;

/** @throws whatever Bun throws when it cannot compile calls to C. */
export function fewCalls(): FewCalls {
  const { socket, connect, send, recv, poll, shutdown, close, read, write } = SIGNATURES;
  return bindWithBun({ socket, connect, send, recv, poll, shutdown, close, read, write });
}

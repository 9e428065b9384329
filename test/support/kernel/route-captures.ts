/** Compares messages of rtnetlink with those that were captured from the kernel, `ip` and `bridge`. */
import type { FamilyMessage } from "../../../lib/netlink/family-message.ts";
import {
  decodeMessages,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_MIN_TYPE,
} from "../../../lib/netlink/message.ts";
import type { NetlinkRequest } from "../../../lib/netlink/request.ts";
import { readCapture } from "./captures.ts";

/** The messages of a capture that are not the protocol's own (its end, an acknowledgement). */
export function capturedMessages(name: string): NetlinkMessage[] {
  return decodeMessages(readCapture(`route/${name}`)).filter(({ type }) => type >= NLMSG_MIN_TYPE);
}

/** What the messages of a capture say. */
export function decodeCapture<H, A>(name: string, layout: FamilyMessage<H, A>): (H & A)[] {
  return capturedMessages(name).map(({ payload }) => layout.decode(payload));
}

/**
 * Compares a request of ours with what `ip` or `bridge` sent for the same purpose: type, flags, every field and
 * attribute. The order of attributes is free, and so is the NUL at the end of a text, which `ip` leaves out of some.
 */
export function expectSameRequest<H, A>(
  request: NetlinkRequest<unknown>,
  captureName: string,
  layout: FamilyMessage<H, A>,
): void {
  const [captured] = capturedMessages(captureName);
  if (!captured) throw new Error(`${captureName} holds no request`);
  expect(request.type).toBe(captured.type);
  expect(request.flags).toBe(captured.flags & ~(NLM_F_REQUEST | NLM_F_ACK));
  expect(layout.decode(request.payload)).toEqual(layout.decode(captured.payload));
}

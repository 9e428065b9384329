/**
 * Netlink messages: `struct nlmsghdr`, and the two that the protocol itself defines, NLMSG_ERROR and NLMSG_DONE,
 * with the extended acknowledgement (extack) that says in words what the kernel disliked.
 *
 * Source: include/uapi/linux/netlink.h; RFC 3549 §2.3.2 (the header).
 */
import { align4, attribute, attributeTable, bytes, type ValueOf } from "./attribute.ts";
import { decodeFailure, i32, u16, u32, viewOf, zstring } from "./codec.ts";
import { struct } from "./struct.ts";

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
/** Below it are the types of the protocol itself. */
export const NLMSG_MIN_TYPE = 0x10;

/** It is a request message: every message to the kernel has it. */
export const NLM_F_REQUEST = 0x01;
/** Part of several messages, the last of which is NLMSG_DONE. */
export const NLM_F_MULTI = 0x02;
export const NLM_F_ACK = 0x04;
/** The dump changed while it was read: it may lack objects or hold some twice. */
export const NLM_F_DUMP_INTR = 0x10;

/** Flags of a "get" request. */
const NLM_F_ROOT = 0x100;
const NLM_F_MATCH = 0x200;
export const NLM_F_DUMP = NLM_F_ROOT | NLM_F_MATCH;

/** Flags of a "new" request. */
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

/** Flags of NLMSG_ERROR: the request is quoted by its header alone; attributes follow. */
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;

export const NLMSG_HDRLEN = 16;

/** Length of the whole message, header included; lengths and numbers in host order. */
export const nlmsghdr = struct("nlmsghdr", {
  length: u32,
  type: u16,
  flags: u16,
  sequence: u32,
  portId: u32,
});

/** One message. `portId` is that of the socket it belongs to; 0 lets the kernel fill it in. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly portId: number;
  /** What follows the header, without padding: the family header and the attributes. */
  readonly payload: Uint8Array;
}

/** Writes a message, padded to a multiple of 4, so that several can simply be joined into one datagram. */
export function encodeMessage({ payload, ...header }: NetlinkMessage): Uint8Array {
  const length = NLMSG_HDRLEN + payload.length;
  const encoded = new Uint8Array(align4(length));
  nlmsghdr.write(viewOf(encoded), 0, { ...header, length });
  encoded.set(payload, NLMSG_HDRLEN);
  return encoded;
}

/** Joins arrays into one: messages into a datagram, a family header and its attributes into a payload. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/**
 * Reads every message of one datagram. Payloads are views into `datagram`, valid as long as it is.
 *
 * @throws {FairleadError} `decode-failure`: a message's length is below its header or beyond the end.
 */
export function decodeMessages(datagram: Uint8Array): NetlinkMessage[] {
  const view = viewOf(datagram);
  const messages: NetlinkMessage[] = [];
  for (let offset = 0; offset < datagram.length; ) {
    const left = datagram.length - offset;
    if (left < NLMSG_HDRLEN) throw decodeFailure(`${left} bytes at byte ${offset} are too few`, "nlmsghdr");
    const { length, ...header } = nlmsghdr.read(view, offset);
    if (length < NLMSG_HDRLEN || length > left) {
      throw decodeFailure(`message at byte ${offset} claims ${length} bytes, ${left} are left`, "nlmsghdr");
    }
    messages.push({ ...header, payload: datagram.subarray(offset + NLMSG_HDRLEN, offset + length) });
    offset += align4(length);
  }
  return messages;
}

const policyTable = attributeTable("policy", () => ({
  type: attribute("NL_POLICY_TYPE_ATTR_TYPE", 1, u32),
}));

/** What the kernel says beyond an errno. Source: enum nlmsgerr_attrs. */
export const extackTable = attributeTable("extack", () => ({
  /** Why the request was refused, or a warning when it was not. */
  text: attribute("NLMSGERR_ATTR_MSG", 1, zstring),
  /** Byte offset, from the start of the request's header, of the attribute that is to blame. */
  offset: attribute("NLMSGERR_ATTR_OFFS", 2, u32),
  /** Identifies the object made, for some families. */
  cookie: attribute("NLMSGERR_ATTR_COOKIE", 3, bytes),
  policy: attribute("NLMSGERR_ATTR_POLICY", 4, policyTable),
  /** Type of the attribute that the kernel misses. */
  missingType: attribute("NLMSGERR_ATTR_MISS_TYPE", 5, u32),
  /** Offset of the nest in which it is missing; absent when it is missing at the top. */
  missingNest: attribute("NLMSGERR_ATTR_MISS_NEST", 6, u32),
}));

export type Extack = ValueOf<typeof extackTable>;

/** What an NLMSG_ERROR or NLMSG_DONE says. `errno` is positive; 0 means success. */
export interface Outcome {
  readonly errno: number;
  readonly extack: Extack;
}

/** Where in an NLMSG_ERROR the quoted request begins, after the errno. */
const NLMSGERR_REQUEST = 4;

/**
 * Reads an NLMSG_ERROR: the errno, and the extack that follows the quoted request.
 *
 * A success quotes only the request's header. A failure quotes the whole request, unless the socket asked for
 * NETLINK_CAP_ACK (flag NLM_F_CAPPED).
 */
export function decodeError(message: NetlinkMessage): Outcome {
  const { payload, flags } = message;
  if (payload.length < NLMSGERR_REQUEST + NLMSG_HDRLEN) {
    throw decodeFailure(`${payload.length} bytes are too few`, "nlmsgerr");
  }
  const errno = toErrno(i32.read(viewOf(payload), 0));
  return { errno, extack: decodeExtack(flags, payload, extackOffset(message, errno)) };
}

/** Where in an NLMSG_ERROR the extack begins, behind the quoted request. */
export function extackOffset({ payload, flags }: NetlinkMessage, errno: number): number {
  const capped = errno === 0 || (flags & NLM_F_CAPPED) !== 0;
  return NLMSGERR_REQUEST + (capped ? NLMSG_HDRLEN : align4(u32.read(viewOf(payload), NLMSGERR_REQUEST)));
}

/** Reads an NLMSG_DONE, the end of a dump: its result is an errno too, and absent from some old families. */
export function decodeDone({ payload, flags }: NetlinkMessage): Outcome {
  if (payload.length < i32.sizeBytes) return { errno: 0, extack: {} };
  const errno = toErrno(i32.read(viewOf(payload), 0));
  return { errno, extack: decodeExtack(flags, payload, i32.sizeBytes) };
}

/** The kernel writes a negative errno for a failure, and zero or a positive number (bytes dumped) otherwise. */
function toErrno(status: number): number {
  return status < 0 ? -status : 0;
}

function decodeExtack(flags: number, payload: Uint8Array, offset: number): Extack {
  if ((flags & NLM_F_ACK_TLVS) === 0) return {};
  return extackTable.decode(payload.subarray(offset));
}

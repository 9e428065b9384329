/** Requests to the kernel and what becomes of them, as values: nothing here talks to anyone. */

import { type Errno, errnoOf } from "../errno.ts";
import { FairleadError } from "../errors.ts";
import {
  concatBytes,
  type Extack,
  type NetlinkMessage,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type Outcome,
} from "./message.ts";

/**
 * One request. `T` is what its replies decode to; a request without replies has `never`.
 *
 * The connection adds NLM_F_REQUEST, NLM_F_ACK and NLM_F_DUMP, the sequence and the port ID.
 */
export interface NetlinkRequest<T = never> {
  /** Message type: RTM_NEWLINK, or subsystem and message of nfnetlink. */
  readonly type: number;
  /** Further flags: NLM_F_CREATE and the like. */
  readonly flags: number;
  /** Family header and attributes. */
  readonly payload: Uint8Array;
  /** What is being done, for the error: "create link". */
  readonly operation: string;
  /** What it is done to: "veth1a2b". */
  readonly object: string;
  /**
   * False for a message that the kernel answers only if it refuses it (the begin and end of an nfnetlink batch).
   * Default: true.
   */
  readonly acknowledge?: boolean;
  /** Decodes one reply. Its payload is a view that is valid during this call only. */
  decodeReply?(reply: NetlinkMessage): T;
  /**
   * Which replies to keep. Kernels before 4.20, and sockets without NETLINK_GET_STRICT_CHK, ignore the filter that
   * a dump request carries and send everything.
   */
  accepts?(reply: T): boolean;
}

/** What a request asks for, without what it is about. */
export type RequestVerb = Pick<NetlinkRequest, "type" | "flags" | "operation">;

/** What became of one request. */
export type NetlinkResult<T> =
  | {
      readonly ok: true;
      readonly replies: readonly T[];
      /** The kernel's remark on a request that it served. */
      readonly warning?: string;
    }
  | { readonly ok: false; readonly error: FairleadError };

/** How a "new" request treats an object that is or is not there. */
export type CreateMode =
  /** Make it, or update the one that is there. */
  | "ensure"
  /** Make it; EEXIST if it is there. */
  | "create"
  /** Make it, or put it in the place of the one that is there. */
  | "replace"
  /** Update the one that is there; ENOENT or ENODEV if there is none. */
  | "change"
  /** Make one more beside those with the same key (routes, flood entries). */
  | "append";

const CREATE_FLAGS: Readonly<Record<CreateMode, number>> = {
  ensure: NLM_F_CREATE,
  create: NLM_F_CREATE | NLM_F_EXCL,
  replace: NLM_F_CREATE | NLM_F_REPLACE,
  change: NLM_F_REPLACE,
  append: NLM_F_CREATE | NLM_F_APPEND,
};

export function createFlags(mode: CreateMode): number {
  return CREATE_FLAGS[mode];
}

/** The payload of a request: family header, then attributes. */
export function payloadOf(header: Uint8Array, attributes: Uint8Array): Uint8Array {
  return concatBytes([header, attributes]);
}

const HINTS: Readonly<Record<string, string>> = {
  EPERM: "it needs CAP_NET_ADMIN in the user namespace that owns the network namespace: run as root",
  EOPNOTSUPP: "this kernel lacks the feature, or its module is not loaded",
  EAFNOSUPPORT: "this kernel lacks the address family (is IPv6 disabled?)",
  EPROTONOSUPPORT: "this kernel lacks the feature, or its module is not loaded",
};

/**
 * The kernel refused a request.
 *
 * `details` repeats errno, name, the kernel's text and the offset for whoever gets the error as JSON.
 */
export class NetlinkError extends FairleadError {
  readonly errno: number;
  /** "EEXIST". */
  readonly errnoName: string;
  /** The kernel's own words, empty when it said none. */
  readonly kernelText: string;

  constructor(request: Pick<NetlinkRequest<unknown>, "operation" | "object">, { errno, extack }: Outcome) {
    const known = errnoOf(errno);
    const hint = HINTS[known.name];
    super({
      code: "kernel-refused",
      operation: request.operation,
      object: request.object,
      reason: refusalText(known, extack),
      ...(hint !== undefined && { hint }),
      details: refusalDetails(known, extack),
    });
    this.name = "NetlinkError";
    this.errno = errno;
    this.errnoName = known.name;
    this.kernelText = extack.text ?? "";
  }
}

function refusalText({ name, text }: Errno, extack: Extack): string {
  const words = [`${text} (${name})`];
  if (extack.text) words.push(`kernel says "${extack.text}"`);
  if (extack.missingType !== undefined) words.push(`attribute ${extack.missingType} is missing`);
  return words.join(": ");
}

function refusalDetails({ number, name }: Errno, extack: Extack): Record<string, unknown> {
  const { text, offset, missingType } = extack;
  return {
    errno: number,
    errnoName: name,
    ...(text !== undefined && { kernelText: text }),
    ...(offset !== undefined && { attributeOffset: offset }),
    ...(missingType !== undefined && { missingAttributeType: missingType }),
  };
}

/** ENODEV for links, ENOENT for neighbours and rules, ESRCH for routes, EADDRNOTAVAIL for addresses. */
const ABSENT: readonly string[] = ["ENOENT", "ESRCH", "ENODEV", "EADDRNOTAVAIL"];

/** True when the kernel refused because the object, or the link that it would be on, is not there. */
export function isAbsent(error: unknown): error is NetlinkError {
  return error instanceof NetlinkError && ABSENT.includes(error.errnoName);
}

/** True when the kernel refused because the object is there already. */
export function isPresent(error: unknown): error is NetlinkError {
  return error instanceof NetlinkError && error.errnoName === "EEXIST";
}

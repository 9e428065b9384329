/** The bytes of an answer. */
import type { Address } from "../../../lib/addr/address.ts";
import { cutMessage } from "../../../lib/dns/cut.ts";
import { type Edns, ednsBytes, ednsRecord } from "../../../lib/dns/edns.ts";
import { RESPONSE_CODES, type ResponseCodeName } from "../../../lib/dns/header.ts";
import {
  CLASS_IN,
  encodeMessage,
  type Message,
  NO_FLAGS,
  PLAIN_UDP_BYTES,
  type Question,
  type ResourceRecord,
} from "../../../lib/dns/message.ts";
import type { Decision } from "./decide.ts";

/** How long an answer may be kept, in seconds. A released address is gone from everywhere within five. */
export const ANSWER_TTL_SECONDS = 2;
/** The same for "no such name": a container that was not there yet is found soon. */
const NEGATIVE_TTL_SECONDS = 1;

/**
 * Largest answer over UDP, whatever the asker takes: it passes every link that IPv6 may use in one piece.
 * Source: DNS Flag Day 2020.
 */
export const LARGEST_UDP_BYTES = 1232;

/** What an answer repeats of its query. */
export interface QueryHead {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  /** Null where it could not be read. */
  readonly question: Question | null;
  readonly edns: Edns | null;
}

interface Content {
  readonly code: ResponseCodeName;
  readonly authoritative?: boolean;
  readonly truncated?: boolean;
  readonly answers?: readonly ResourceRecord[];
  readonly authority?: readonly ResourceRecord[];
}

function encodeReply(head: QueryHead, content: Content, limitBytes: number): Uint8Array {
  const code = RESPONSE_CODES[content.code];
  const opt = head.edns && [ednsRecord({ udpBytes: LARGEST_UDP_BYTES, responseCodeUpper: code >> 4 })];
  const message: Message = {
    id: head.id,
    flags: {
      ...NO_FLAGS,
      response: true,
      opcode: head.opcode,
      authoritative: content.authoritative ?? false,
      truncated: content.truncated ?? false,
      recursionDesired: head.recursionDesired,
      recursionAvailable: true,
      checkingDisabled: head.checkingDisabled,
      responseCode: code & 15,
    },
    questions: head.question ? [head.question] : [],
    answers: content.answers ?? [],
    authority: content.authority ?? [],
    additional: opt ?? [],
  };
  return encodeMessage(message, limitBytes);
}

/** An answer that holds nothing but its code. */
export function emptyReply(head: QueryHead, code: ResponseCodeName): Uint8Array {
  return encodeReply(head, { code }, PLAIN_UDP_BYTES);
}

/** "It is too long: ask again over TCP." */
function truncatedReply(head: QueryHead): Uint8Array {
  return encodeReply(head, { code: "noError", truncated: true }, PLAIN_UDP_BYTES);
}

/**
 * What fits of somebody else's answer, marked as truncated: a resolver that never asks over TCP (musl before 1.2.4) works with
 * the beginning. Of an answer that cannot be read, nothing but the mark.
 */
export function cutReply(head: QueryHead, answer: Uint8Array, limitBytes: number): Uint8Array {
  const opt = head.edns && ednsBytes({ udpBytes: LARGEST_UDP_BYTES, dnssecOk: head.edns.dnssecOk });
  const tail = opt ? { tail: opt, tailCount: 1 } : { tail: new Uint8Array(), tailCount: 0 };
  try {
    return cutMessage(answer, limitBytes, tail);
  } catch {
    return truncatedReply(head);
  }
}

/** The answer that a decision of ours comes to. The name is repeated in the case in which it was asked. */
export function decidedReply(
  head: QueryHead & { readonly question: Question },
  decision: Exclude<Decision, { kind: "forward" }>,
  limitBytes: number,
): Uint8Array {
  const { name } = head.question;
  switch (decision.kind) {
    case "refused":
      return emptyReply(head, "refused");
    case "addresses":
      return encodeReply(head, found(decision.addresses.map((one) => addressRecord(name, one))), limitBytes);
    case "pointers":
      return encodeReply(head, found(decision.hosts.map((host) => pointerRecord(name, host))), limitBytes);
    case "no-data":
      return encodeReply(head, absent("noError", decision.zone), limitBytes);
    case "no-name":
      return encodeReply(head, absent("noSuchName", decision.zone), limitBytes);
  }
}

function found(answers: readonly ResourceRecord[]): Content {
  return { code: "noError", authoritative: true, answers };
}

/** Without an SOA record nobody may keep a negative answer. Source: RFC 2308 §5. */
function absent(code: ResponseCodeName, zone: string): Content {
  return { code, authoritative: true, authority: [soaRecord(zone)] };
}

function addressRecord(name: string, address: Address): ResourceRecord {
  const type = address.family === 4 ? "A" : "AAAA";
  return { name, type, class: CLASS_IN, ttl: ANSWER_TTL_SECONDS, data: { address } };
}

function pointerRecord(name: string, host: string): ResourceRecord {
  return { name, type: "PTR", class: CLASS_IN, ttl: ANSWER_TTL_SECONDS, data: { host } };
}

function soaRecord(zone: string): ResourceRecord {
  const data = {
    primary: "fairlead",
    mailbox: "root.fairlead",
    serial: 1,
    refresh: 3600,
    retry: 600,
    expire: 86_400,
    minimum: NEGATIVE_TTL_SECONDS,
  };
  return { name: zone, type: "SOA", class: CLASS_IN, ttl: NEGATIVE_TTL_SECONDS, data };
}

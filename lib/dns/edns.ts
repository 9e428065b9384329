/**
 * EDNS0: what an OPT record says in the fields that other records use for class and TTL.
 *
 * Source: RFC 6891 §6.1.3.
 */
import type { ValueOf } from "./field.ts";
import { HEADER_BYTES } from "./header.ts";
import { encodeMessage, type Message, NO_FLAGS, PLAIN_UDP_BYTES, type ResourceRecord } from "./message.ts";
import type { RECORD_TYPES } from "./record-types.ts";

type OptData = ValueOf<(typeof RECORD_TYPES)["OPT"]["data"]>;

export interface Edns {
  /** Largest UDP payload that the sender takes, in bytes. */
  readonly udpBytes: number;
  /** Upper eight bits of the response code. */
  readonly responseCodeUpper: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  readonly options: OptData["options"];
}

const DNSSEC_OK = 0x8000;

/** What the OPT record of a message says; null without one. The first counts. */
export function ednsOf(message: Pick<Message, "additional">): Edns | null {
  const record = message.additional.find((one) => one.type === "OPT");
  if (record?.type !== "OPT") return null;
  const { ttl, data } = record;
  return {
    udpBytes: record.class,
    responseCodeUpper: ttl >>> 24,
    version: (ttl >>> 16) & 0xff,
    dnssecOk: (ttl & DNSSEC_OK) !== 0,
    options: (data as OptData).options,
  };
}

/** The record that says it. Bits that nobody defined are zero. */
export function ednsRecord(edns: Partial<Edns> & Pick<Edns, "udpBytes">): ResourceRecord {
  const { udpBytes, responseCodeUpper = 0, version = 0, dnssecOk = false, options = [] } = edns;
  const ttl = responseCodeUpper * 2 ** 24 + version * 2 ** 16 + (dnssecOk ? DNSSEC_OK : 0);
  return { name: "", type: "OPT", class: udpBytes, ttl, data: { options } };
}

/** The same as it stands in a message. */
export function ednsBytes(edns: Parameters<typeof ednsRecord>[0]): Uint8Array {
  const message = { id: 0, flags: NO_FLAGS, questions: [], answers: [], authority: [] };
  return encodeMessage({ ...message, additional: [ednsRecord(edns)] }).subarray(HEADER_BYTES);
}

/** Bytes that may be sent to the sender of a query over UDP, and never more than `mostBytes`. */
export function udpLimit(edns: Edns | null, mostBytes: number): number {
  return Math.min(mostBytes, Math.max(PLAIN_UDP_BYTES, edns?.udpBytes ?? PLAIN_UDP_BYTES));
}

/**
 * Netlink datagrams as text, four bytes a line with what they are: for debugging, and for the golden bytes of tests.
 *
 * ```
 * 2c 00 00 00   # length 44
 * 10 00 05 06   # type 16, flags 0x605
 * …
 * 08 00 03 00   # IFLA_IFNAME, 8 bytes
 * 65 74 68 30   #   "eth0"
 * ```
 *
 * Nothing here is on unless a caller passes it to a connection:
 * `new NetlinkConnection(transport, { trace: (_, datagram) => log(datagramText(datagram, describeRoute)) })`.
 */
import { errnoOf } from "../errno.ts";
import { FairleadError } from "../errors.ts";
import { type AttributeRows, align4, decodeAttributes, type RawAttribute } from "./attribute.ts";
import type { Codec } from "./codec.ts";
import {
  decodeError,
  decodeMessages,
  extackOffset,
  extackTable,
  type NetlinkMessage,
  NLMSG_ERROR,
  NLMSG_HDRLEN,
  nlmsghdr,
} from "./message.ts";
import type { StructCodec } from "./struct.ts";

/** What stands in a payload: a header, attributes, or both. A family message and an attribute table are such. */
export interface Layout {
  readonly header?: Pick<StructCodec<unknown>, "structName" | "sizeBytes">;
  readonly table?: { readonly rows: AttributeRows };
  readonly rows?: AttributeRows;
}

/** The layout of a message type's payload; undefined for one that is shown as mere bytes. */
export type Describe = (messageType: number) => Layout | undefined;

/** Every message of a datagram. Never throws: what cannot be read is shown as bytes, with the reason. */
export function datagramText(datagram: Uint8Array, describe: Describe = () => undefined): string {
  try {
    const lines: string[] = [];
    for (const message of decodeMessages(datagram)) lines.push(...messageLines(message, describe));
    return lines.join("\n");
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    return [`# ${error.message}`, ...byteLines(datagram, "")].join("\n");
  }
}

/** A payload of a known layout. */
export function layoutText(payload: Uint8Array, layout: Layout): string {
  return payloadLines(payload, layout, "").join("\n");
}

function messageLines(message: NetlinkMessage, describe: Describe): string[] {
  const { type, flags, sequence, portId, payload } = message;
  const header = nlmsghdr.encode({ ...message, length: NLMSG_HDRLEN + payload.length });
  const legends = [
    `length ${NLMSG_HDRLEN + payload.length}`,
    `type ${type}, flags 0x${flags.toString(16)}`,
    `sequence ${sequence}`,
    `port ID ${portId}`,
  ];
  const head = legends.map((legend, at) => line(header.subarray(4 * at, 4 * at + 4), legend));
  const rest = type === NLMSG_ERROR ? errorLines(message) : payloadLines(payload, describe(type), "");
  return [...head, ...rest];
}

/** An acknowledgement: the errno, the quoted request as bytes, and what the kernel says in words. */
function errorLines(message: NetlinkMessage): string[] {
  const { payload } = message;
  const { errno } = decodeError(message);
  const extack = extackOffset(message, errno);
  return [
    ...byteLines(payload.subarray(0, 4), errno === 0 ? "success" : `errno ${errno}, ${errnoOf(errno).name}`),
    ...byteLines(payload.subarray(4, extack), "the request"),
    ...attributeLines(payload.subarray(extack), extackTable.rows, ""),
  ];
}

function payloadLines(payload: Uint8Array, layout: Layout | undefined, indent: string): string[] {
  const header = layout?.header;
  const rows = layout?.table?.rows ?? layout?.rows;
  if (!header && !rows) return byteLines(payload, indent);
  const size = Math.min(header?.sizeBytes ?? 0, payload.length);
  return [
    ...byteLines(payload.subarray(0, size), `${indent}struct ${header?.structName ?? ""}`),
    ...attributeLines(payload.subarray(size), rows, indent),
  ];
}

function attributeLines(bytes: Uint8Array, rows: AttributeRows | undefined, indent: string): string[] {
  let attributes: RawAttribute[];
  try {
    attributes = decodeAttributes(bytes);
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    return byteLines(bytes, `${indent}${error.reason}`);
  }
  let offset = 0;
  return attributes.flatMap((attribute) => {
    const length = attribute.payload.length;
    const head = bytes.subarray(offset, offset + 4);
    const padded = bytes.subarray(offset + 4, offset + align4(4 + length));
    offset += align4(4 + length);
    const row = rows && Object.values(rows).find(({ type }) => type === attribute.type);
    const name = row?.kernelName ?? `attribute ${attribute.type}`;
    const legend = `${indent}${name}, ${length + 4} bytes${attribute.flags ? ", nested" : ""}`;
    const layout = row && layoutOf(row, rows, attributes);
    return [line(head, legend), ...contentLines({ padded, length }, layout, `${indent}  `)];
  });
}

/** The layout inside an attribute, if there is one; that of a tagged row is found by its sibling's text. */
function layoutOf(
  row: AttributeRows[string],
  rows: AttributeRows,
  siblings: readonly RawAttribute[],
): Layout | undefined {
  if (row.shape !== "tagged") return row.codec as Codec<unknown> & Layout;
  const kindType = rows[row.kindKey]?.type;
  const kind = siblings.find(({ type }) => type === kindType)?.payload ?? new Uint8Array(0);
  return row.codecs[printable(kind)] as (Codec<unknown> & Layout) | undefined;
}

function contentLines(
  { padded, length }: { readonly padded: Uint8Array; readonly length: number },
  layout: Layout | undefined,
  indent: string,
): string[] {
  if (layout?.header ?? layout?.table ?? layout?.rows) {
    return payloadLines(padded.subarray(0, length), layout, indent);
  }
  const text = printable(padded.subarray(0, length));
  return byteLines(padded, text.length > 1 ? `${indent}"${text}"` : indent);
}

/** The text in bytes that are all printable but for a NUL at the end; else nothing. */
function printable(bytes: Uint8Array): string {
  const end = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length;
  const text = String.fromCharCode(...bytes.subarray(0, end));
  return /^[\x20-\x7e]+$/.test(text) ? text : "";
}

/** Four bytes a line; the legend stands on the first. */
function byteLines(bytes: Uint8Array, legend: string): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    lines.push(line(bytes.subarray(at, at + 4), at === 0 ? legend : ""));
  }
  return lines;
}

function line(bytes: Uint8Array, legend: string): string {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return legend.trim() === "" ? digits : `${digits.padEnd(11)}   # ${legend}`;
}

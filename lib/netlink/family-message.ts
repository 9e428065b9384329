/** The payload of every rtnetlink and nfnetlink message: a C struct, then attributes. One flat value. */
import type { AttributeRows, AttributeTable, AttributeValues } from "./attribute.ts";
import type { Codec } from "./codec.ts";
import { concatBytes } from "./message.ts";
import type { StructCodec } from "./struct.ts";

/** Codec of a header and its attributes. Header fields that are left out when encoding are zero. */
export interface FamilyMessage<H, A> extends Codec<H & A> {
  readonly header: StructCodec<H>;
  readonly table: AttributeTable<AttributeRows>;
  encode(value: Partial<H> & A): Uint8Array;
}

/**
 * Joins a header and a table. No attribute may be named like a header field.
 *
 * `encode` writes the header's fields first and the rest as attributes, in the order of the value's keys.
 */
export function familyMessage<H, R extends AttributeRows>(
  header: StructCodec<H>,
  table: AttributeTable<R>,
): FamilyMessage<H, AttributeValues<R>> {
  const headerKeys: readonly string[] = header.fieldNames;
  return {
    header,
    table: table as unknown as AttributeTable<AttributeRows>,
    encode(value) {
      const attributes: Record<string, unknown> = {};
      for (const key in value) {
        if (!headerKeys.includes(key)) attributes[key] = (value as Record<string, unknown>)[key];
      }
      return concatBytes([header.encode(value), table.encode(attributes as AttributeValues<R>)]);
    },
    decode(payload) {
      const fields = header.decodePrefix(payload);
      return { ...fields, ...table.decode(payload.subarray(header.sizeBytes)) };
    },
  };
}

/** What holds for every table of this folder, whatever is in it. */
import fc from "fast-check";
import { FairleadError } from "../../errors.ts";
import { type AttributeRows, type Codec, encodeAttributes, type FixedCodec } from "../attribute.ts";
import type { FamilyMessage } from "../family-message.ts";
import { addressMessage } from "./address.ts";
import { bridgeLinkMessage } from "./bridge-vlan.ts";
import { linkMessage } from "./link.ts";
import { neighbourMessage } from "./neighbour.ts";
import { netnsIdMessage } from "./netns-id.ts";
import { routeMessage } from "./route.ts";
import { ruleMessage } from "./rule.ts";

type Message = FamilyMessage<unknown, unknown>;

const MESSAGES: readonly (readonly [string, Message])[] = [
  ["link", linkMessage as unknown as Message],
  ["bridge link", bridgeLinkMessage as unknown as Message],
  ["address", addressMessage as unknown as Message],
  ["route", routeMessage as unknown as Message],
  ["neighbour", neighbourMessage as unknown as Message],
  ["rule", ruleMessage as unknown as Message],
  ["netns id", netnsIdMessage as unknown as Message],
];

type Layout = Codec<unknown> &
  Partial<Pick<FixedCodec<unknown>, "sizeBytes">> & { rows?: AttributeRows; header?: { sizeBytes: number } };

const anyBytes = fc.uint8Array({ maxLength: 20 });

function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

/** Payloads of one attribute: mostly such as its codec takes, else any bytes. */
function payload(codec: Layout, depth: number): fc.Arbitrary<Uint8Array> {
  return fc.oneof({ weight: 60, arbitrary: fitting(codec, depth) }, { weight: 1, arbitrary: anyBytes });
}

function fitting(codec: Layout, depth: number): fc.Arbitrary<Uint8Array> {
  if (codec.header) {
    const { table, header } = codec as unknown as Message;
    return fc
      .tuple(bytesOf(header.sizeBytes), attributesOf(table.rows, depth))
      .map(([head, rest]) => Uint8Array.of(...head, ...rest));
  }
  if (codec.rows) return attributesOf(codec.rows, depth);
  if (codec.sizeBytes !== undefined) return bytesOf(codec.sizeBytes);
  return fc
    .constantFrom(0, 1, 4, 6, 16, 18)
    .chain(bytesOf)
    .filter((each) => accepts(codec, each));
}

function accepts(codec: Codec<unknown>, each: Uint8Array): boolean {
  try {
    codec.decode(each);
    return true;
  } catch {
    return false;
  }
}

/** Some attributes of a table in any order, some of them unknown ones. */
function attributesOf(rows: AttributeRows, depth: number): fc.Arbitrary<Uint8Array> {
  const unknown = fc.record({ type: fc.integer({ min: 200, max: 0x3fff }), payload: anyBytes });
  const known = depth === 0 ? [] : Object.values(rows).map((row) => attributeOf(row, rows, depth - 1));
  return fc
    .array(
      fc.oneof(
        unknown.map((each) => [each]),
        ...known,
      ),
      { maxLength: 6 },
    )
    .map((all) => encodeAttributes(all.flat()));
}

/** One attribute; one that depends on a kind comes with its kind. */
function attributeOf(row: AttributeRows[string], rows: AttributeRows, depth: number) {
  const { type, flags } = row;
  if (row.shape !== "tagged") {
    return payload(row.codec, depth).map((each) => [{ type, flags, payload: each }]);
  }
  const kindType = rows[row.kindKey]?.type ?? 0;
  return fc.constantFrom(...Object.keys(row.codecs)).chain((kind) =>
    payload(row.codecs[kind] as Layout, depth).map((each) => [
      { type, flags, payload: each },
      { type: kindType, payload: new TextEncoder().encode(`${kind}\0`) },
    ]),
  );
}

describe.each(MESSAGES)("%s messages", (_, message) => {
  test("that were decoded are encoded to what decodes to the same", () => {
    let decoded = 0;
    fc.assert(
      fc.property(fitting(message, 4), (wire) => {
        try {
          const value = message.decode(wire);
          decoded++;
          expect(message.decode(message.encode(value as never))).toEqual(value);
        } catch (error) {
          if (!(error instanceof FairleadError)) throw error;
          expect(error.code).toBe("decode-failure");
        }
      }),
      { numRuns: 300 },
    );
    expect(decoded).toBeGreaterThan(150);
  });

  test("of any bytes throw nothing but decode-failure", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (wire) => {
        try {
          message.decode(wire);
        } catch (error) {
          if (!(error instanceof FairleadError)) throw error;
          expect(error.code).toBe("decode-failure");
        }
      }),
    );
  });

  test("have no attribute named like a field of their header", () => {
    const names = Object.keys(message.table.rows);
    expect(message.header.fieldNames.filter((name) => names.includes(name))).toEqual([]);
  });

  test("name every attribute as the kernel's header does, and each number once", () => {
    for (const rows of allRows(message.table.rows)) {
      const all = Object.values(rows);
      expect(new Set(all.map(({ type }) => type)).size).toBe(all.length);
      for (const { kernelName } of all) expect(kernelName).toMatch(/^[A-Z][A-Z0-9_]+$/);
    }
  });
});

/** The rows of a table and of all tables inside it. */
function allRows(rows: AttributeRows): AttributeRows[] {
  const inner = Object.values(rows).flatMap((row) =>
    row.shape === "tagged" ? Object.values(row.codecs) : [row.codec],
  );
  const tables = inner.map((codec) => (codec as Layout).rows).filter((each) => each !== undefined);
  return [rows, ...tables.flatMap(allRows)];
}

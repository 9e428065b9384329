/** Whatever bytes come, every table reads them or says why not; and writes what it read so that it reads the same. */
import fc from "fast-check";
import { readCapture } from "../../../test/captures/nftables/read-capture.ts";
import { FairleadError } from "../../errors.ts";
import type { Codec } from "../attribute.ts";
import { batchTable } from "./batch.ts";
import { chainTable } from "./chain.ts";
import { elementListTable } from "./element.ts";
import { genTable } from "./gen.ts";
import { nfgenmsg } from "./message.ts";
import { ruleTable } from "./rule.ts";
import { setTable } from "./set.ts";
import { tableTable } from "./table.ts";

const TABLES: readonly (readonly [string, Codec<unknown>])[] = [
  ["batch", batchTable],
  ["gen", genTable],
  ["table", tableTable],
  ["chain", chainTable],
  ["rule", ruleTable],
  ["set", setTable],
  ["element list", elementListTable],
];

const CAPTURED = ["expressions.list.hex", "masquerade.batch.hex"]
  .flatMap(readCapture)
  .map(({ payload }) => payload.slice(nfgenmsg.sizeBytes));

/** A captured message with some bytes changed, and perhaps its end cut off. */
const damaged = fc
  .record({
    original: fc.constantFrom(...CAPTURED),
    changes: fc.array(fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) }), { maxLength: 4 }),
    cut: fc.option(fc.nat({ max: 16 })),
  })
  .map(({ original, changes, cut }) => {
    const bytes = original.slice(0, original.length - (cut ?? 0));
    for (const { at, byte } of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return bytes;
  });

function decodeOrNull(table: Codec<unknown>, bytes: Uint8Array): unknown {
  try {
    return table.decode(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(FairleadError);
    expect(error).toMatchObject({ code: "decode-failure" });
    return null;
  }
}

describe.each(TABLES)("%s", (_name, table) => {
  test.each([
    ["random bytes", fc.uint8Array({ maxLength: 200 })],
    ["damaged messages", damaged],
  ])("%s", (_what, source) => {
    let decoded = 0;
    fc.assert(
      fc.property(source, (bytes) => {
        const value = decodeOrNull(table, bytes);
        if (value === null) return;
        decoded++;
        expect(table.decode(table.encode(value))).toEqual(value);
      }),
      { numRuns: 300 },
    );
    expect(decoded).toBeGreaterThan(0);
  });
});

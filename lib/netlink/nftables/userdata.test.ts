import fc from "fast-check";
import { hexBytes } from "../../../test/support/kernel/hex.ts";
import {
  COMMENT_MAXIMUM_BYTES,
  decodeComment,
  decodeUserdata,
  encodeComment,
  encodeUserdata,
  NFTNL_UDATA_SET_COMMENT,
} from "./userdata.ts";

describe("user data", () => {
  test("holds a comment as nft writes it", () => {
    expect(encodeComment("web")).toEqual(hexBytes("00 04 77 65 62 00"));
    expect(decodeComment(hexBytes("00 04 77 65 62 00"))).toBe("web");
    expect(decodeComment(hexBytes("00 04 01 00 00 00  07 03 68 69 00"), NFTNL_UDATA_SET_COMMENT)).toBe("hi");
  });

  test("without a comment is null", () => {
    expect(decodeComment(undefined)).toBeNull();
    expect(decodeComment(hexBytes("07 01 00"))).toBeNull();
    expect(decodeComment(hexBytes("00 09 77"))).toBeNull();
  });

  test("takes a comment up to its maximum", () => {
    const longest = "c".repeat(COMMENT_MAXIMUM_BYTES);
    expect(decodeComment(encodeComment(longest))).toBe(longest);
    expect(() => encodeComment(`${longest}c`)).toThrow(/at most 256 are allowed; shorten the comment/);
  });

  test("is read as it was written", () => {
    const item = fc.record({ type: fc.nat({ max: 255 }), value: fc.uint8Array({ maxLength: 40 }) });
    fc.assert(
      fc.property(fc.array(item, { maxLength: 5 }), (items) =>
        expect(decodeUserdata(encodeUserdata(items))).toEqual(items),
      ),
    );
  });

  test("of any other program is read without complaint", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 256 }), (bytes) => {
        const read = decodeUserdata(bytes).reduce((sum, { value }) => sum + 2 + value.length, 0);
        expect(read).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});

import { hash64, hashHex } from "./hash.ts";

describe("hash64", () => {
  // Each value can be worked out from the two published definitions: it is a promise, not a snapshot.
  test.each([
    ["", 0xefd01f60ba992926n],
    ["a", 0x82a2a958a9bece5bn],
    ["fairlead", 0x14de82784acf61e0n],
    ["à", 0x37aca842efe846b9n],
  ])("of %p never changes", (text, expected) => {
    expect(hash64(text).toString(16)).toBe(expected.toString(16));
  });

  test("spreads texts that differ only at the end over every 8-bit slice", () => {
    for (let shift = 0n; shift < 64n; shift += 8n) {
      const seen = new Set(
        Array.from({ length: 2048 }, (_, i) => (hash64(`container-${i}`) >> shift) & 0xffn),
      );
      expect(seen.size).toBe(256);
    }
  });

  test("flips about half of its bits for one flipped bit of the text", () => {
    let flipped = 0;
    for (let i = 0; i < 500; i++) {
      const difference = hash64(`@${i}`) ^ hash64(`A${i}`); // "@" and "A" differ in one bit
      flipped += difference.toString(2).replaceAll("0", "").length;
    }
    expect(flipped / 500).toBeGreaterThan(28);
    expect(flipped / 500).toBeLessThan(36);
  });

  test("does not collide over 100,000 container IDs", () => {
    const seen = new Set(
      Array.from({ length: 100_000 }, (_, i) => hashHex(`net\0${i.toString(16)}\0eth0`, 11)),
    );
    expect(seen.size).toBe(100_000);
  });
});

describe("hashHex", () => {
  test("is the most significant digits, zeros kept", () => {
    const whole = hash64("fairlead").toString(16).padStart(16, "0");
    for (let digits = 1; digits <= 16; digits++)
      expect(hashHex("fairlead", digits)).toBe(whole.slice(0, digits));
  });

  test.each([0, 17, 1.5, Number.NaN])("refuses %p digits", (digits) => {
    expect(() => hashHex("x", digits)).toThrow(RangeError);
  });
});

import { blankEnvironmentNames } from "./harden.ts";

const image = (...parts: string[]) => Buffer.from(parts.join("\0"), "latin1");

test("names between NULs are blanked, all else keeps every byte", () => {
  const bytes = image(
    "code",
    "BUN_OPTIONS",
    "NODE_CHANNEL_FD",
    "BUN_OPTIONS",
    "XBUN_BE_BUN",
    "BUN_lower",
    "end",
  );
  const before = Buffer.from(bytes);
  expect([...blankEnvironmentNames(bytes)]).toEqual([
    ["BUN_OPTIONS", 2],
    ["NODE_CHANNEL_FD", 1],
  ]);
  expect(bytes.length).toBe(before.length);
  expect(bytes.includes("BUN_OPTIONS")).toBe(false);
  for (const kept of ["code", "XBUN_BE_BUN", "BUN_lower", "end"]) expect(bytes.includes(kept)).toBe(true);
});

test("names that our own code looks up, and texts that merely hold a name, stay", () => {
  const bytes = image("x", "NODE_ENV", "set BUN_OPTIONS=--x to", "BUN_OPTIONS unterminated");
  const before = Buffer.from(bytes);
  expect(blankEnvironmentNames(bytes).size).toBe(0);
  expect(bytes.equals(before)).toBe(true);
});

import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { TemporaryDirectory } from "../../test/support/ipam/ipam-fronts.ts";
import { openTokenFile, tokenFrom } from "./token.ts";

const directory = new TemporaryDirectory();
afterAll(() => directory.remove());

test("the token is made once, private, and taken again", () => {
  const path = directory.file("made");
  const token = openTokenFile(path);
  const secret = readFileSync(path, "utf8").trim();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(token.accepts(`Bearer ${secret}`)).toBe(true);
  expect(openTokenFile(path).accepts(`Bearer ${secret}`)).toBe(true);
  expect(readdirSync(directory.path)).toEqual(["made"]);
});

test.each([
  undefined,
  "",
  "Bearer",
  "Bearer ",
  "Bearer wrong",
  "Basic Bearer 0123456789abcdef0123456789abcdef",
  "Bearer0123456789abcdef0123456789abcdef",
  "Basic 0123456789abcdef0123456789abcdef",
  "0123456789abcdef0123456789abcdef",
  "Bearer 0123456789abcdef0123456789abcdef extra",
  "Bearer 0123456789abcdef0123456789abcde",
])("%s is not the token", (header) => {
  expect(tokenFrom("0123456789abcdef0123456789abcdef").accepts(header)).toBe(false);
});

test.each(["Bearer  ", "Bearer   "])("%j before the token, and space behind it, are allowed", (scheme) => {
  const secret = "0123456789abcdef0123456789abcdef";
  expect(tokenFrom(secret).accepts(`${scheme}${secret} `)).toBe(true);
});

test("the scheme may be written in any case", () => {
  expect(
    tokenFrom("0123456789abcdef0123456789abcdef").accepts("bearer 0123456789abcdef0123456789abcdef"),
  ).toBe(true);
});

test("a file that others can read is refused", () => {
  const path = directory.file("open");
  openTokenFile(path);
  chmodSync(path, 0o640);
  expect(() => openTokenFile(path)).toThrow("its mode is 0640: others can read it");
});

test.each(["", "short", "two words that are long enough to be one"])(
  "a file that holds %j is refused",
  (text) => {
    const path = directory.file("bad");
    writeFileSync(path, text, { mode: 0o600 });
    expect(() => openTokenFile(path)).toThrow("does not hold one word");
  },
);

test("a word of 32 characters is long enough, one of 31 is not", () => {
  const path = directory.file("length");
  writeFileSync(path, `${"x".repeat(32)}\n`, { mode: 0o600 });
  expect(openTokenFile(path).accepts(`Bearer ${"x".repeat(32)}`)).toBe(true);
  writeFileSync(path, `${"x".repeat(31)}\n`);
  expect(() => openTokenFile(path)).toThrow("does not hold one word");
});

test("a token that could not be put in its place leaves nothing, and says why", () => {
  const path = directory.file("race");
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, "of a process that was killed");
  const refused = expect.objectContaining({
    code: "io-failure",
    cause: expect.objectContaining({ code: "EEXIST" }),
  });
  expect(() => openTokenFile(path)).toThrow(refused);
  expect(existsSync(temporary)).toBe(false);
  expect(openTokenFile(path).accepts(`Bearer ${readFileSync(path, "utf8").trim()}`)).toBe(true);
});

test("a directory that is not there is named", () => {
  const path = directory.file("absent/token");
  expect(() => openTokenFile(path)).toThrow(`write token ${path}`);
  expect(existsSync(path)).toBe(false);
});

import { requireSandboxName } from "./name.ts";

test.each(["ab", "web-1", "Web_1.x", "a".repeat(250)])("a sandbox may be called %j", (name) => {
  expect(() => requireSandboxName(name)).not.toThrow();
});

test.each(["", "a", "a/b", "../x", "-x", "a b", "a\nb"])("%j is no name of a sandbox", (name) => {
  expect(() => requireSandboxName(name)).toThrow(`Invalid container name (${name}), only`);
});

test("a name that no file could have is refused with its length", () => {
  expect(() => requireSandboxName("a".repeat(251))).toThrow(
    "Invalid container name: it has 251 characters, at most 250 are allowed",
  );
});

import { joinNames, namesOrId } from "./container-names.ts";

test("names of all sources come in order, each once in its first spelling", () => {
  const sources = [
    { path: "a", names: ["Web"] },
    { path: "b", names: ["web", "db"] },
    { path: "c", names: ["db", "x y"] },
  ];
  expect(joinNames(sources)).toEqual(["Web", "db", "x y"]);
});

test.each([
  ["empty", ""],
  ["with a control character", "a\nb"],
  ["of 254 bytes", "a".repeat(254)],
])("a name that is %s is refused with its place", (_what, name) => {
  expect(() => joinNames([{ path: "args.cni.names", names: [name] }])).toThrow("args.cni.names");
});

test("a container without a name is called by its ID, unless that is 64 hexadecimal digits or no label", () => {
  expect(namesOrId(["web"], "default-web")).toEqual(["web"]);
  expect(namesOrId([], "default-web")).toEqual(["default-web"]);
  expect(namesOrId([], "ab".repeat(32))).toEqual([]);
  expect(namesOrId([], "a.b")).toEqual([]);
});

test("a message about a name is no longer than it helps", () => {
  expect(() => joinNames([{ path: "args.cni.names", names: ["a".repeat(5000)] }])).toThrow(
    expect.objectContaining({ reason: expect.stringMatching(/^"a{80}": /) }),
  );
});

import { withFiles } from "../test/support/file-tree.ts";
import { lintFiles } from "./lint-files.ts";

const lint = (files: Record<string, string>) => withFiles(files, lintFiles);

test.each(["lib/addr/a.ts", "test/support/a.ts", "main.ts"])("%s begins with what it is for", (file) => {
  const problem = `${file}: it does not begin with a comment on what it is for`;
  expect(lint({ [file]: 'import { x } from "./b.ts";\n/** One. */\n' })).toEqual([problem]);
  expect(lint({ [file]: "// One.\n" })).toEqual([problem]);
  expect(lint({ [file]: '/** One. */\nimport { x } from "./b.ts";\n' })).toEqual([]);
});

test.each(["lib/addr/a.test.ts", "lib/rpc/generated/a.ts", "lib/a.json", "dist/a.ts"])(
  "%s need not",
  (file) => {
    expect(lint({ [file]: "export {};\n" })).toEqual([]);
  },
);

test("a file has 400 lines and no more, unless it is a test", () => {
  const long = (lines: number): string => `/** One. */\n${"f();\n".repeat(lines - 1)}`;
  expect(lint({ "lib/a.ts": long(400), "lib/a.test.ts": long(401) })).toEqual([]);
  expect(lint({ "lib/a.ts": long(401) })).toEqual(["lib/a.ts: it has 401 lines: split it by subject"]);
});

test.each([
  ["()", []],
  ["(a: string, b: string, c: string)", []],
  ["(a: Map<string, number>, { b, c }: { b: string, c: string }, d: (e: number, f: number) => void)", []],
  ["(\n    a: string,\n    b: string, // b, and no more\n    c: string,\n  )", []],
  ["(a: string, b: string, c: string, d = [1, 2])", [4]],
  ["(a: () => void, b: X<Y<1, 2>, 3>, c: string, d: string, e: string)", [5]],
])("of the parameters of constructor%s", (parameters, counts) => {
  const text = `/** One. */\nclass A {\n  constructor${parameters} {\n    f(1, 2, 3, 4);\n  }\n}\n`;
  expect(lint({ "lib/a.ts": text })).toEqual(
    counts.map((count) => `lib/a.ts: a constructor has ${count} parameters: name them`),
  );
});

import { allSpecs } from "../commands/help-run.ts";
import { TREE } from "../tree.ts";
import { formatManPage } from "./man.ts";
import { isGroup, type Spec } from "./sections.ts";
import { formatHelp, wrap } from "./text.ts";

const VERSION = "1.2.3";
let all: readonly { spec: Spec; path: string }[];
beforeAll(async () => {
  all = await allSpecs(TREE);
});

/** Man-quality: what every command has to have. */
test("every command says what it does, with examples, exit statuses and where to go on", () => {
  const lacking = all.filter(
    ({ spec: { manual } }) =>
      manual.description.trim().length < 10 ||
      manual.examples.length === 0 ||
      (manual.seeAlso ?? []).length === 0,
  );
  expect(lacking.map(({ path }) => path)).toEqual([]);
});

test("summaries and descriptions of options are sentences without a full stop, examples call what is there", () => {
  const paths = all.map(({ path }) => path);
  for (const { spec, path } of all) {
    expect([path, spec.summary]).toEqual([path, expect.stringMatching(/^[A-Z].*[^.]$/)]);
    if (!isGroup(spec)) {
      for (const [name, { description }] of Object.entries(spec.options))
        expect([path, name, description]).toEqual([path, name, expect.stringMatching(/^[A-Zp`].*[^.]$/)]);
    }
    for (const { text, command } of spec.manual.examples) {
      expect(text).toMatch(/[^.:]$/);
      expect(command).toContain("fairlead");
    }
    for (const name of (spec.manual.seeAlso ?? []).filter((one) => !one.includes("(")))
      expect(paths).toContain(`fairlead ${name}`);
  }
});

test("examples parse: every option in them is one", () => {
  for (const { spec, path } of all) {
    const own = isGroup(spec) ? [] : Object.keys(spec.options);
    const lines = spec.manual.examples.flatMap(({ command }) => command.split("\n"));
    for (const line of lines.filter((one) => one.includes(path) && !isGroup(spec))) {
      const called = line.slice(line.indexOf(path)).split("|")[0] ?? "";
      const end = spec.name === "exec" ? called.indexOf(spec.name) + spec.name.length : undefined;
      for (const [, name] of called.slice(0, end).matchAll(/\s--([a-z0-9-]+)/g)) expect(own).toContain(name);
    }
  }
});

test("help keeps to the width of the terminal", () => {
  for (const { spec, path } of all) {
    const [text = ""] = formatHelp(spec, path, 80).split("\nExamples:");
    const wide = text.split("\n").filter((line) => line.length > 80 && !line.startsWith("  "));
    expect([path, wide]).toEqual([path, []]);
  }
});

test("manual pages have all sections, and no line that roff takes for a request of its own", () => {
  for (const { spec, path } of all) {
    const page = formatManPage(spec, { path, version: VERSION });
    for (const section of ["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "EXIT STATUS", "SEE ALSO"])
      expect(page).toContain(`\n.SH ${section}\n`);
    const requests = page.split("\n").filter((line) => /^[.']/.test(line));
    for (const line of requests) expect(line).toMatch(/^\.(TH|SH|TP|PP|RS|RE|nf|fi|B|BR|I)\b/);
  }
});

test("wrapping keeps words whole", () => {
  expect(wrap("a bb  ccc\ndddd", 5)).toEqual(["a bb", "ccc", "dddd"]);
  expect(wrap("longer-than-that x", 5)).toEqual(["longer-than-that", "x"]);
});

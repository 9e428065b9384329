/**
 * `--format` of lists: a template for each object, `table TEMPLATE`, `json` or `raw`.
 *
 * Source: docker/cli v20.10, cli/command/formatter/formatter.go; `json` by itself is of version 23.
 */

import { WordedError } from "../base/worded-error.ts";
import { alignTabs } from "../output/columns.ts";
import { printable } from "../output/printable.ts";
import { compileTemplate, type Template } from "../template/evaluate.ts";
import { TemplateError } from "../template/lexer.ts";
import { GoStruct } from "../template/values.ts";

const TABLE = /^table\s+/;

const NAMED: Readonly<Record<string, string>> = {
  json: "{{json .}}",
  raw: "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n",
};

/**
 * @param headings of the columns of a table, by field.
 * @throws WordedError when the template is wrong.
 */
export function formatList(
  format: string,
  views: readonly GoStruct[],
  headings: Readonly<Record<string, string>>,
): string {
  const isTable = TABLE.test(format);
  const text = (NAMED[format] ?? format.replace(TABLE, "")).replaceAll("\\t", "\t").replaceAll("\\n", "\n");
  return readable(() => {
    const template = compileTemplate(text);
    const rows = views.map((view) => row(template, view, isTable));
    if (!isTable) return rows.map((line) => `${line}\n`).join("");
    return alignTabs([template(headingView(headings)), ...rows])
      .map((line) => `${line}\n`)
      .join("");
  });
}

/** Tabs of a table are its columns; every other control character is shown, not obeyed. */
function row(template: Template, view: GoStruct, isTable: boolean): string {
  const text = template(view);
  return isTable ? text.split("\t").map(printable).join("\t") : text;
}

/** The heading is the template run on the names of the columns. */
function headingView(headings: Readonly<Record<string, string>>): GoStruct {
  const fields = Object.entries(headings).map(([name, value]) => ({ name, value }));
  return new GoStruct("map[string]string", fields, { Label: ([key = ""]) => String(key) });
}

/** Runs what reads or uses a template. @throws WordedError that says what is wrong with it */
export function readable<T>(body: () => T): T {
  try {
    return body();
  } catch (thrown) {
    if (!(thrown instanceof TemplateError)) throw thrown;
    throw new WordedError("invalid-config", `template parsing error: ${thrown.message}`, thrown);
  }
}

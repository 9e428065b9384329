/** `printf` of templates: the verbs that text and whole numbers need. Source: Go's package fmt. */
import { type GoValue, printValue } from "./values.ts";

/** Flag `-` or `0`, width, precision, verb. */
const VERB = /%([-0]?)(\d*)(?:\.(\d+))?([a-zA-Z%])/g;

export function formatPrintf(format: string, args: readonly GoValue[]): string {
  const rest = [...args];
  const text = format.replace(
    VERB,
    (...match: [whole: string, flag: string, width: string, precision: string | undefined, verb: string]) => {
      const [, flag, width, precision, verb] = match;
      if (verb === "%") return "%";
      if (rest.length === 0) return `%!${verb}(MISSING)`;
      const value = convert(verb, rest.shift() ?? null);
      const cut = precision !== undefined && verb === "s" ? value.slice(0, Number(precision)) : value;
      if (flag === "-") return cut.padEnd(Number(width));
      return cut.padStart(Number(width), flag === "0" ? "0" : " ");
    },
  );
  const extra = rest.map((value) => `${typeof value}=${printValue(value)}`).join(", ");
  return rest.length === 0 ? text : `${text}%!(EXTRA ${extra})`;
}

function convert(verb: string, value: GoValue): string {
  const text = printValue(value);
  switch (verb) {
    case "s":
    case "v":
    case "d":
    case "t":
      return text;
    case "q":
      return JSON.stringify(text);
    case "x":
      return typeof value === "number" ? value.toString(16) : Buffer.from(text).toString("hex");
    default:
      return `%!${verb}(${typeof value}=${text})`;
  }
}

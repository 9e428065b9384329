/** What failed, as one line for stderr. */
import { printable } from "./printable.ts";

export function errorLine(message: string): string {
  return `fairlead: ${printable(message)}\n`;
}

/** The same of what did not fail. */
export function warningLine(message: string): string {
  return errorLine(`warning: ${message}`);
}

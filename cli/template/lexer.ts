/**
 * Words of a Go template.
 *
 * Source: Go 1.19, text/template/parse/lex.go; the words of the errors are its own.
 */

export type TokenKind =
  | "text"
  | "open"
  | "close"
  | "space"
  | "identifier"
  | "field"
  | "variable"
  | "dot"
  | "string"
  | "number"
  | "pipe"
  | "leftParen"
  | "rightParen"
  | "declare"
  | "assign"
  | "comma"
  | "end";

export interface Token {
  readonly kind: TokenKind;
  /** As it stands in the template; of a string: what it stands for. */
  readonly text: string;
  /** Place in the template. */
  readonly at: number;
}

/** The template cannot be read. */
export class TemplateError extends Error {}

export function parseError(template: string, at: number, message: string): TemplateError {
  const line = template.slice(0, at).split("\n").length;
  return new TemplateError(`template: :${line}: ${message}`);
}

const OPEN = "{{";
const CLOSE = "}}";

/** Longest first, where one begins like another. */
const WORDS: readonly (readonly [TokenKind, RegExp])[] = [
  ["space", /\s+/y],
  ["declare", /:=/y],
  ["assign", /=/y],
  ["pipe", /\|/y],
  ["leftParen", /\(/y],
  ["rightParen", /\)/y],
  ["comma", /,/y],
  ["string", /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ["number", /[+-]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?)/y],
  ["variable", /\$\w*/y],
  ["field", /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ["dot", /\./y],
  ["identifier", /[\p{L}_][\p{L}\p{N}_]*/uy],
];

/** @throws TemplateError */
export function readTokens(template: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  while (at < template.length) {
    const open = template.indexOf(OPEN, at);
    const until = open < 0 ? template.length : open;
    const trimsBefore = open >= 0 && /^\{\{-\s/.test(template.slice(open, open + 4));
    const text = trimmed(template.slice(at, until), trimNext, trimsBefore);
    if (text !== "") tokens.push({ kind: "text", text, at });
    if (open < 0) break;
    const start = open + OPEN.length + (trimsBefore ? 1 : 0);
    ({ at, trimNext } = readAction(template, { open, start }, tokens));
  }
  tokens.push({ kind: "end", text: "", at: template.length });
  return tokens;
}

function trimmed(text: string, start: boolean, end: boolean): string {
  const left = start ? text.trimStart() : text;
  return end ? left.trimEnd() : left;
}

interface After {
  readonly at: number;
  readonly trimNext: boolean;
}

interface Action {
  /** Where its braces open. */
  readonly open: number;
  /** Where it starts behind them. */
  readonly start: number;
}

const COMMENT = /\s*\/\*[\s\S]*?\*\/\s*(-?)\}\}/y;

/** Reads what stands between the braces. */
function readAction(template: string, { open, start }: Action, tokens: Token[]): After {
  COMMENT.lastIndex = start;
  const comment = COMMENT.exec(template);
  if (comment !== null) return { at: COMMENT.lastIndex, trimNext: comment[1] === "-" };
  tokens.push({ kind: "open", text: OPEN, at: open });
  for (let at = start; ; ) {
    const trims = /^\s-\}\}/.test(template.slice(at, at + 4));
    if (trims || template.startsWith(CLOSE, at)) {
      tokens.push({ kind: "close", text: CLOSE, at });
      return { at: at + (trims ? 4 : 2), trimNext: trims };
    }
    const token = readWord(template, at);
    if (token.kind !== "space") tokens.push({ ...token, text: unquoted(token) });
    else tokens.push(token);
    at += token.text.length;
  }
}

function readWord(template: string, at: number): Token {
  for (const [kind, pattern] of WORDS) {
    pattern.lastIndex = at;
    const match = pattern.exec(template);
    if (match !== null) return { kind, text: match[0], at };
  }
  throw parseError(template, at, problemAt(template, at));
}

function problemAt(template: string, at: number): string {
  if (at >= template.length) return "unclosed action";
  const next = template.slice(at, at + 1);
  if (next === '"') return "unterminated quoted string";
  if (next === "`") return "unterminated raw quoted string";
  const code = next.codePointAt(0) ?? 0;
  return `unexpected U+${code.toString(16).toUpperCase().padStart(4, "0")} '${next}' in command`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  '"': '"',
  "\\": "\\",
  "'": "'",
};

function unquoted({ kind, text }: Token): string {
  if (kind !== "string") return text;
  const body = text.slice(1, -1);
  return text.startsWith("`")
    ? body
    : body.replace(/\\(.)/g, (whole, letter: string) => ESCAPES[letter] ?? whole);
}

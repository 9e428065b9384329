/**
 * Go templates as trees: actions, if, range, with, variables, pipelines, parentheses.
 *
 * Source: Go 1.19, text/template/parse/parse.go; the words of the errors are its own. Not here: define, template, block.
 */
import { parseError, readTokens, type Token, type TokenKind } from "./lexer.ts";

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipe: Pipe }
  | Branch;

export interface Branch {
  readonly kind: "if" | "with" | "range";
  readonly pipe: Pipe;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[];
}

/** Commands, each of which is given the value of the one before as its last argument. */
export interface Pipe {
  /** Variables that take the value: one, or two in a range. */
  readonly variables: readonly string[];
  /** True for `$x := …`, false for `$x = …`. */
  readonly declares: boolean;
  readonly commands: readonly Command[];
}

export interface Command {
  readonly operands: readonly Operand[];
  readonly source: Source;
}

/** Where something stands, for errors. */
export interface Source {
  readonly at: number;
  readonly text: string;
}

export type Operand = { readonly source: Source } & (
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "path"; readonly base: Base; readonly fields: readonly string[] }
);

/** What the fields of a path are looked up in. */
type Base =
  | { readonly kind: "dot" }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "pipe"; readonly pipe: Pipe };

const WORDS: Readonly<Record<string, string | number | boolean | null>> = {
  true: true,
  false: false,
  nil: null,
};
const KEYWORDS = new Set(["if", "with", "range", "else", "end", "define", "template", "block"]);

/**
 * @param functions names that may be called.
 * @throws TemplateError
 */
export function parseTemplate(template: string, functions: ReadonlySet<string>): readonly Node[] {
  return new Parser(template, functions).parse();
}

interface List {
  readonly nodes: readonly Node[];
  /** What ended it. */
  readonly end: "else" | "end" | "";
}

class Parser {
  readonly #template: string;
  readonly #functions: ReadonlySet<string>;
  readonly #tokens: readonly Token[];
  /** Variables in scope. `$` is what the template was given. */
  readonly #variables: string[] = ["$"];
  #next = 0;

  constructor(template: string, functions: ReadonlySet<string>) {
    this.#template = template;
    this.#functions = functions;
    this.#tokens = readTokens(template);
  }

  parse(): readonly Node[] {
    const { nodes, end } = this.#list();
    if (end !== "") throw this.#error(`unexpected {{${end}}}`);
    return nodes;
  }

  /** Nodes up to `{{else}}`, `{{end}}` or the end of the template. */
  #list(): List {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === "end") return { nodes, end: "" };
      if (token.kind === "text") {
        nodes.push({ kind: "text", text: token.text });
        continue;
      }
      const word = this.#peekWord();
      if (word === "else" || word === "end") {
        this.#take();
        if (word === "end") this.#expect("close", "end");
        return { nodes, end: word };
      }
      nodes.push(this.#action(word));
    }
  }

  #action(word: string): Node {
    if (word === "if" || word === "with" || word === "range") {
      this.#take();
      return this.#branch(word);
    }
    if (KEYWORDS.has(word)) throw this.#error(`{{${word}}} is not supported here`);
    const pipe = this.#pipe("command");
    this.#expect("close", "command");
    return { kind: "action", pipe };
  }

  #branch(kind: Branch["kind"]): Node {
    const scope = this.#variables.length;
    const pipe = this.#pipe(kind);
    this.#expect("close", kind);
    const body = this.#list();
    const otherwise = body.end === "else" ? this.#otherwise(kind) : { nodes: [], end: body.end };
    if (otherwise.end !== "end") throw this.#error("unexpected EOF");
    this.#variables.length = scope;
    return { kind, pipe, body: body.nodes, otherwise: otherwise.nodes };
  }

  /** What follows `{{else`: the rest of the braces and a list, or ` if …}}`, which is a branch inside. */
  #otherwise(kind: Branch["kind"]): List {
    if (kind === "if" && this.#peekWord() === "if") {
      this.#take();
      return { nodes: [this.#branch("if")], end: "end" };
    }
    this.#expect("close", "else");
    const list = this.#list();
    if (list.end === "else") throw this.#error("expected end; found {{else}}");
    return list;
  }

  #pipe(context: string): Pipe {
    const { variables, declares } = this.#declaration(context);
    const commands = [this.#command(context)];
    while (this.#peek().kind === "pipe") {
      this.#take();
      commands.push(this.#command(context));
    }
    // Known behind the pipeline only: it does not see the variable that it sets.
    if (declares) this.#variables.push(...variables);
    return { variables, declares, commands };
  }

  #declaration(context: string): { variables: string[]; declares: boolean } {
    const start = this.#next;
    const variables: string[] = [];
    while (this.#peek().kind === "variable") {
      variables.push(this.#take().text);
      const { kind } = this.#peek();
      if (kind === "declare" || kind === "assign") {
        this.#take();
        return { variables, declares: kind === "declare" };
      }
      if (kind !== "comma" || context !== "range") break;
      this.#take();
    }
    this.#next = start;
    return { variables: [], declares: false };
  }

  #command(context: string): Command {
    const first = this.#peek();
    const operands: Operand[] = [];
    for (let end = false; !end; ) {
      operands.push(this.#operand(context));
      end = CLOSERS.has(this.#peek().kind);
      if (!end && this.#tokens[this.#next]?.kind !== "space") throw this.#unexpected(this.#take(), context);
    }
    const after = this.#peek();
    return { operands, source: { at: first.at, text: this.#template.slice(first.at, after.at).trimEnd() } };
  }

  #operand(context: string): Operand {
    const token = this.#take();
    const start = token.at;
    switch (token.kind) {
      case "string":
        return { kind: "literal", value: token.text, source: this.#source(start) };
      case "number":
        return { kind: "literal", value: Number(token.text), source: this.#source(start) };
      case "identifier":
        return this.#word(token);
      case "dot":
        return this.#path({ kind: "dot" }, start, []);
      case "field":
        return this.#path({ kind: "dot" }, start, [token.text.slice(1)]);
      case "variable":
        return this.#path(this.#variable(token), start, []);
      case "leftParen": {
        const pipe = this.#pipe("parenthesized pipeline");
        this.#expect("rightParen", "parenthesized pipeline");
        return this.#path({ kind: "pipe", pipe }, start, []);
      }
      case "close":
      case "rightParen":
      case "pipe":
        throw this.#error(
          context === "command" ? "missing value for command" : `missing value for ${context}`,
        );
      default:
        throw this.#unexpected(token, context);
    }
  }

  #word(token: Token): Operand {
    const source = this.#source(token.at);
    if (Object.hasOwn(WORDS, token.text))
      return { kind: "literal", value: WORDS[token.text] ?? null, source };
    if (this.#functions.has(token.text)) return { kind: "function", name: token.text, source };
    throw this.#error(`function ${JSON.stringify(token.text)} not defined`);
  }

  #variable({ text }: Token): Base {
    if (this.#variables.includes(text)) return { kind: "variable", name: text };
    throw this.#error(`undefined variable "${text}"`);
  }

  /** Go says that a path of several fields stands where its second one does. */
  #path(base: Base, start: number, first: readonly string[]): Operand {
    const fields = [...first];
    let at = start;
    while (this.#tokens[this.#next]?.kind === "field") {
      const token = this.#take();
      if (fields.length === first.length) at = token.at;
      fields.push(token.text.slice(1));
    }
    return { kind: "path", base, fields, source: { at, text: this.#source(start).text } };
  }

  /** From `start` to where the parser is. */
  #source(start: number): Source {
    const end = this.#tokens[this.#next]?.at ?? this.#template.length;
    return { at: start, text: this.#template.slice(start, end) };
  }

  /** The next token that is no space, without taking it. */
  #peek(): Token {
    let at = this.#next;
    while (this.#tokens[at]?.kind === "space") at++;
    return this.#tokens[at] ?? END;
  }

  #peekWord(): string {
    const { kind, text } = this.#peek();
    return kind === "identifier" ? text : "";
  }

  #take(): Token {
    while (this.#tokens[this.#next]?.kind === "space") this.#next++;
    return this.#tokens[this.#next++] ?? END;
  }

  #expect(kind: TokenKind, context: string): void {
    const token = this.#take();
    if (token.kind !== kind) throw this.#unexpected(token, context);
  }

  #unexpected({ text, kind }: Token, context: string): Error {
    return this.#error(
      kind === "end" ? "unexpected EOF" : `unexpected ${JSON.stringify(text)} in ${context}`,
    );
  }

  #error(message: string): Error {
    return parseError(this.#template, this.#tokens[this.#next - 1]?.at ?? 0, message);
  }
}

const CLOSERS: ReadonlySet<TokenKind> = new Set(["close", "rightParen", "pipe", "end"]);
const END: Token = { kind: "end", text: "", at: Number.POSITIVE_INFINITY };

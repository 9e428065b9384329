/**
 * Runs Go templates.
 *
 * Source: Go 1.19, text/template/exec.go; the words of the errors are its own.
 */
import { CallError, FUNCTIONS } from "./functions.ts";
import { TemplateError } from "./lexer.ts";
import {
  type Branch,
  type Command,
  type Node,
  type Operand,
  type Pipe,
  parseTemplate,
  type Source,
} from "./parser.ts";
import { GoStruct, type GoValue, isMap, isTrue, printValue, sortedKeys, typeName } from "./values.ts";

/** A template that was read; runs on one value after another. */
export type Template = (data: GoValue) => string;

const FUNCTION_NAMES: ReadonlySet<string> = new Set(Object.keys(FUNCTIONS));

/**
 * Reads a template.
 * @throws TemplateError, here and when the template is run on a value that does not suit it.
 */
export function compileTemplate(template: string): Template {
  const nodes = parseTemplate(template, FUNCTION_NAMES);
  return (data) => new Run(template, data).nodes(nodes, data);
}

interface Variable {
  readonly name: string;
  value: GoValue;
}

class Run {
  readonly #template: string;
  readonly #variables: Variable[];

  constructor(template: string, data: GoValue) {
    this.#template = template;
    this.#variables = [{ name: "$", value: data }];
  }

  nodes(nodes: readonly Node[], dot: GoValue): string {
    return nodes.map((node) => this.#node(node, dot)).join("");
  }

  #node(node: Node, dot: GoValue): string {
    if (node.kind === "text") return node.text;
    if (node.kind === "action") {
      const value = this.#pipe(node.pipe, dot);
      return node.pipe.variables.length > 0 ? "" : printValue(value);
    }
    const scope = this.#variables.length;
    const text = node.kind === "range" ? this.#range(node, dot) : this.#choice(node, dot);
    this.#variables.length = scope;
    return text;
  }

  #choice({ kind, pipe, body, otherwise }: Branch, dot: GoValue): string {
    const value = this.#pipe(pipe, dot);
    if (!isTrue(value)) return this.nodes(otherwise, dot);
    return this.nodes(body, kind === "with" ? value : dot);
  }

  #range({ pipe, body, otherwise }: Branch, dot: GoValue): string {
    const value = this.#pipe({ ...pipe, variables: [] }, dot);
    const entries = this.#entries(value, pipe);
    if (entries.length === 0) return this.nodes(otherwise, dot);
    const scope = this.#variables.length;
    return entries
      .map(([key, item]) => {
        this.#variables.length = scope;
        const [first, second] = pipe.variables;
        if (first !== undefined) this.#set(first, second === undefined ? item : key, true);
        if (second !== undefined) this.#set(second, item, true);
        return this.nodes(body, item);
      })
      .join("");
  }

  #entries(value: GoValue, { commands }: Pipe): readonly (readonly [GoValue, GoValue])[] {
    if (value === null) return [];
    if (Array.isArray(value)) return (value as readonly GoValue[]).map((item, at) => [at, item] as const);
    if (isMap(value)) return sortedKeys(value).map((key) => [key, value.get(key) ?? null] as const);
    const source = commands[0]?.source ?? NOWHERE;
    throw this.#error(source, `range can't iterate over ${printValue(value)}`);
  }

  #pipe({ commands, variables, declares }: Pipe, dot: GoValue): GoValue {
    let value: GoValue | undefined;
    for (const command of commands) value = this.#command(command, dot, value);
    for (const name of variables) this.#set(name, value ?? null, declares);
    return value ?? null;
  }

  /** @param piped the value of the command before; undefined for the first one. */
  #command({ operands, source }: Command, dot: GoValue, piped: GoValue | undefined): GoValue {
    const [first, ...rest] = operands;
    if (first === undefined) throw this.#error(source, "empty command");
    const args = (): GoValue[] => [
      ...rest.map((operand) => this.#operand(operand, dot)),
      ...(piped === undefined ? [] : [piped]),
    ];
    if (first.kind === "function") return this.#call(first.name, args(), source);
    if (first.kind === "path") return this.#path(first, dot, args());
    if (rest.length > 0 || piped !== undefined) {
      throw this.#error(first.source, `can't give argument to non-function ${first.source.text}`);
    }
    return first.value;
  }

  #operand(operand: Operand, dot: GoValue): GoValue {
    if (operand.kind === "literal") return operand.value;
    if (operand.kind === "function") return this.#call(operand.name, [], operand.source);
    return this.#path(operand, dot, []);
  }

  #call(name: string, args: readonly GoValue[], source: Source): GoValue {
    const run = FUNCTIONS[name];
    if (run === undefined) throw this.#error(source, `${JSON.stringify(name)} is not a defined function`);
    try {
      return run(args);
    } catch (thrown) {
      if (!(thrown instanceof CallError)) throw thrown;
      throw this.#error(source, `error calling ${name}: ${thrown.message}`);
    }
  }

  /** @param args given to the last field, which then is a method. */
  #path(
    { base, fields, source }: Operand & { kind: "path" },
    dot: GoValue,
    args: readonly GoValue[],
  ): GoValue {
    let value =
      base.kind === "dot"
        ? dot
        : base.kind === "variable"
          ? this.#get(base.name)
          : this.#pipe(base.pipe, dot);
    if (fields.length === 0 && args.length > 0) {
      throw this.#error(source, `can't give argument to non-function ${source.text}`);
    }
    fields.forEach((field, at) => {
      value = this.#field(value, { name: field, source }, at === fields.length - 1 ? args : []);
    });
    return value;
  }

  #field(value: GoValue, { name, source }: Field, args: readonly GoValue[]): GoValue {
    if (value instanceof GoStruct) {
      const method = Object.hasOwn(value.methods, name) ? value.methods[name] : undefined;
      if (method !== undefined) return method(args);
    }
    if (args.length > 0) throw this.#error(source, `${name} has arguments but cannot be invoked as function`);
    if (value instanceof GoStruct) return this.#fieldOf(value, name, source);
    if (isMap(value)) return value.get(name) ?? null;
    if (value === null) throw this.#error(source, `nil data; no entry for key ${JSON.stringify(name)}`);
    // Docker has fallen back to the JSON by then, whose values are of no type.
    const loose = this.#variables[0]?.value instanceof GoStruct && this.#variables[0].value.typeName === "";
    throw this.#error(source, fieldProblem(name, value, loose));
  }

  /** By its name in Go, or by its key in JSON, which Docker falls back to. */
  #fieldOf(value: GoStruct, name: string, source: Source): GoValue {
    const field =
      value.fields.find((one) => one.name === name) ?? value.fields.find(({ json }) => json === name);
    if (field !== undefined) return field.value;
    const problem =
      value.typeName === "" ? `map has no entry for key ${JSON.stringify(name)}` : fieldProblem(name, value);
    throw this.#error(source, problem);
  }

  #get(name: string): GoValue {
    return this.#variables.findLast((variable) => variable.name === name)?.value ?? null;
  }

  #set(name: string, value: GoValue, declare: boolean): void {
    const known = declare ? undefined : this.#variables.findLast((variable) => variable.name === name);
    if (known === undefined) this.#variables.push({ name, value });
    else known.value = value;
  }

  #error({ at, text }: Source, message: string): TemplateError {
    const before = this.#template.slice(0, at);
    const line = before.split("\n").length;
    const column = at - (before.lastIndexOf("\n") + 1);
    return new TemplateError(`template: :${line}:${column}: executing "" at <${text}>: ${message}`);
  }
}

interface Field {
  readonly name: string;
  readonly source: Source;
}

function fieldProblem(name: string, value: GoValue, isLoose = false): string {
  return `can't evaluate field ${name} in type ${isLoose ? "interface {}" : typeName(value)}`;
}

const NOWHERE: Source = { at: 0, text: "" };

/**
 * Reads a configuration file of `section.key` values against a table of keys, and reports everything that is
 * wrong with it at once, each with its line.
 */
import { isMap, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import { editDistance } from "../edit-distance.ts";
import { FairleadError } from "../errors.ts";

/** One key. `parse` gets the value as YAML read it, and throws an Error whose message says what is wrong. */
export interface ConfigKey<T> {
  /** What may stand there, for people: "path", "seconds". */
  readonly type: string;
  /** The default, for people. */
  readonly fallback: string;
  readonly description: string;
  parse(value: unknown): T;
}

export type ConfigKeys = Readonly<Record<string, ConfigKey<unknown>>>;

/** What each key of a file was read as; keys that are not in the file are absent. */
export type ConfigValues<K extends ConfigKeys> = {
  readonly [P in keyof K]?: K[P] extends ConfigKey<infer T> ? T : never;
};

const MAX_FILE_CHARACTERS = 1024 * 1024;
const OPERATION = "read configuration";

interface Problem {
  readonly line: number | null;
  readonly path: string;
  readonly text: string;
}

/** A configuration file that was read, and whose it is. */
export interface ConfigSource {
  readonly text: string;
  /** Path of the file, or what stands for it in messages. */
  readonly file: string;
  /** The command whose `--help-config` lists the keys: "server". */
  readonly command: string;
}

/**
 * Reads the text of a configuration file.
 * @throws FairleadError invalid-config with every problem, decode-failure when it is not YAML.
 */
export function readConfig<K extends ConfigKeys>(keys: K, source: ConfigSource): ConfigValues<K> {
  const { text } = source;
  if (text.length > MAX_FILE_CHARACTERS) {
    throw broken(source, "decode-failure", { reason: `it has more than ${MAX_FILE_CHARACTERS} characters` });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const [failure] = document.errors;
  if (failure) {
    const { line } = lines.linePos(failure.pos[0]);
    throw broken(source, "decode-failure", { reason: `line ${line}: it is not YAML: ${failure.message}` });
  }
  const reader = new Reader(keys, lines);
  reader.readRoot(document.contents);
  if (reader.problems.length > 0) throw problemsError(source, reader.problems);
  return reader.values as ConfigValues<K>;
}

class Reader {
  readonly values: Record<string, unknown> = {};
  readonly problems: Problem[] = [];
  readonly #keys: ConfigKeys;
  readonly #sections: ReadonlySet<string>;
  readonly #lines: LineCounter;

  constructor(keys: ConfigKeys, lines: LineCounter) {
    this.#keys = keys;
    this.#lines = lines;
    this.#sections = new Set(Object.keys(keys).flatMap((path) => path.match(/^.+(?=\.)/) ?? []));
  }

  readRoot(root: Node | null): void {
    // An empty file, or one of comments alone, is a configuration of nothing but defaults.
    if (root === null || (isScalar(root) && root.value === null)) return;
    if (isMap(root)) this.#readMap(root, "");
    else this.#complain(root, "", "it must be a map of keys and values");
  }

  #readMap(map: YAMLMap, prefix: string): void {
    for (const pair of map.items) {
      const name = String(isScalar(pair.key) ? pair.key.value : pair.key);
      const path = `${prefix}${name}`;
      const [key, node] = [pair.key as Node, pair.value as Node | null];
      if (this.#sections.has(path)) this.#readSection(node, key, path);
      else if (Object.hasOwn(this.#keys, path)) this.#readValue(node, key, path);
      else this.#complain(key, path, `unknown key${suggestion(path, Object.keys(this.#keys))}`);
    }
  }

  #readSection(node: Node | null, key: Node, path: string): void {
    if (isMap(node)) this.#readMap(node, `${path}.`);
    else if (node !== null && !(isScalar(node) && node.value === null)) {
      const [example] = Object.keys(this.#keys).filter((name) => name.startsWith(`${path}.`));
      this.#complain(key, path, `it must be a map of keys, such as ${example}`);
    }
  }

  #readValue(node: Node | null, key: Node, path: string): void {
    const value = node === null ? null : (node.toJSON() as unknown);
    // `key:` with nothing behind it is a key that was not given.
    if (value === null) return;
    try {
      this.values[path] = this.#keys[path]?.parse(value);
    } catch (thrown) {
      const text = thrown instanceof FairleadError ? thrown.reason : (thrown as Error).message;
      this.#complain(key, path, text);
    }
  }

  #complain(node: Node, path: string, text: string): void {
    const line = node.range ? this.#lines.linePos(node.range[0]).line : null;
    this.problems.push({ line, path, text });
  }
}

function problemsError(source: ConfigSource, problems: readonly Problem[]): FairleadError {
  const lines = problems.map(({ line, path, text }) => {
    const place = line === null ? "" : `line ${line}: `;
    return path === "" ? `${place}${text}` : `${place}${path}: ${text}`;
  });
  const reason = lines.length === 1 ? lines.join("") : `${lines.length} problems:\n  ${lines.join("\n  ")}\n`;
  return broken(source, "invalid-config", { reason, details: { problems } });
}

function broken(
  { file, command }: ConfigSource,
  code: "invalid-config" | "decode-failure",
  { reason, details = {} }: { readonly reason: string; readonly details?: Readonly<Record<string, unknown>> },
): FairleadError {
  const hint = `\`fairlead ${command} --help-config\` lists every key`;
  return new FairleadError({ code, operation: OPERATION, object: file, reason, hint, details });
}

/** `; did you mean "http.listen"?` when one of `known` is near, else nothing. */
function suggestion(word: string, known: readonly string[]): string {
  const distances = known.map((candidate) => ({ candidate, distance: nearness(word, candidate) }));
  const [best] = distances.sort((a, b) => a.distance - b.distance);
  return best && best.distance <= 2 ? `; did you mean "${best.candidate}"?` : "";
}

/** Edits between two words, ignoring case and word separators; a key without its section is one edit away. */
function nearness(word: string, candidate: string): number {
  const plain = (text: string): string => text.toLowerCase().replace(/[-_]/g, "");
  const last = candidate.slice(candidate.lastIndexOf(".") + 1);
  return Math.min(editDistance(plain(word), plain(candidate)), 1 + editDistance(plain(word), plain(last)));
}

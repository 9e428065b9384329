/**
 * Takes the items out of a list as it comes: `{"<field>": [...]}`, of which long ones come an item a line
 * (ipam-server/fronts/http/list-stream.ts). Only what is not whole yet is held.
 */
import { FairleadError } from "../errors.ts";
import { parseJsonAnswer } from "../json-answer.ts";

export class ListReader {
  readonly #field: string;
  readonly #source: string;
  #text = "";
  /** Null until a first line has come: then whether it is an item a line. */
  #isLines: boolean | null = null;

  /** @param source what answers, for errors. */
  constructor(field: string, source: string) {
    this.#field = field;
    this.#source = source;
  }

  /** The items that are whole by now. @throws decode-failure */
  push(chunk: string): unknown[] {
    this.#text += chunk;
    if (this.#isLines === null) this.#readBegin();
    if (this.#isLines !== true) return [];
    const lines = this.#text.split("\n");
    this.#text = lines.pop() ?? "";
    return lines.map((line) => this.#parse(line.endsWith(",") ? line.slice(0, -1) : line));
  }

  /** The items of an answer that did not come an item a line. @throws decode-failure when the list has no end */
  end(): unknown[] {
    if (this.#isLines === true) {
      if (this.#text === "]}") return [];
      throw this.#cutShort();
    }
    const answer = this.#parse(this.#text) as Readonly<Record<string, unknown[]>> | null;
    return answer?.[this.#field] ?? [];
  }

  #readBegin(): void {
    const begin = `{${JSON.stringify(this.#field)}:[\n`;
    if (this.#text.length < begin.length) return;
    this.#isLines = this.#text.startsWith(begin);
    if (this.#isLines) this.#text = this.#text.slice(begin.length);
  }

  #parse(text: string): unknown {
    return parseJsonAnswer(text, this.#source);
  }

  #cutShort(): FairleadError {
    return new FairleadError({
      code: "unavailable",
      operation: "read the answer of",
      object: this.#source,
      reason: "the list was cut short",
      hint: "see the server's log, and try again",
    });
  }
}

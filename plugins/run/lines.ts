/** Cuts bytes into lines, and answers those of stdin. */
import { pluginIo } from "../io.ts";

const NEWLINE = 10;
const encoder = new TextEncoder();

/** The whole lines of a text, without their ends. */
export function* linesOf(bytes: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    yield bytes.subarray(start, end);
    start = end + 1;
  }
}

/**
 * Answers each line of stdin, in order, by one of JSON on stdout: as soon as it is known.
 *
 * @param mostBytes of stdin.
 * @throws what `answerTo` throws: no later line is answered then.
 */
export function answerLines(mostBytes: number, answerTo: (line: Uint8Array) => object): void {
  const io = pluginIo();
  for (const line of linesOf(io.readStdin(mostBytes)))
    io.writeStdout(encoder.encode(`${JSON.stringify(answerTo(line))}\n`));
}

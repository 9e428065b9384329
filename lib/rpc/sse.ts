/**
 * Reads a stream of server-sent events, as far as Fairlead's use them: `data` fields, one message per blank
 * line; comments and other fields are skipped.
 *
 * Source: HTML Living Standard, "Server-sent events", "Parsing an event stream".
 */

/** The longest message taken in; an event has some hundred bytes. */
const MAX_MESSAGE_CHARACTERS = 1_048_576;

/** Returns a function that takes the text as it comes, in pieces of any size, and calls back for each message. */
export function createSseParser(onData: (data: string) => void): (text: string) => void {
  let rest = "";
  return (text) => {
    const blocks = (rest + text.replaceAll("\r", "")).split("\n\n");
    rest = blocks.pop() ?? "";
    if (rest.length > MAX_MESSAGE_CHARACTERS) throw new Error("a message of the event stream does not end");
    for (const block of blocks) {
      const data = dataOf(block);
      if (data !== null) onData(data);
    }
  };
}

function dataOf(block: string): string | null {
  const lines = block.split("\n").filter((line) => line.startsWith("data:"));
  return lines.length === 0 ? null : lines.map((line) => line.replace(/^data: ?/, "")).join("\n");
}

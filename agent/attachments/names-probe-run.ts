/**
 * What `fairlead names-probe` does: asks for a name from inside of containers, on the way that their own questions take.
 *
 * Stdin is `{"netns", "server"}` a line, stdout what became of each, a line, in order. A process of its own, because it enters
 * namespaces, and waits.
 */
import { readFileSync, writeSync } from "node:fs";
import { parseAddress } from "../../lib/addr/address.ts";
import { CLASS_IN, encodeMessage, NO_FLAGS } from "../../lib/dns/message.ts";
import { askAll } from "../../lib/linux/sockets/udp-question.ts";
import { formatLines, parseLines } from "../base/json-lines.ts";
import type { NamesQuestion } from "./names-probe.ts";

const DNS_PORT = 53;
const LIMIT_MS = 700;
/** Nobody has it, and a name of one part is looked up nowhere else: any answer will do. */
const PROBE_NAME = "fairlead-names-probe";

/** Returns the exit status. */
export function runNamesProbe(): number {
  const questions = parseLines<NamesQuestion>(readFileSync(0, "utf8"));
  const datagram = encodeMessage({
    id: Math.floor(Math.random() * 0x1_0000),
    flags: { ...NO_FLAGS, recursionDesired: true },
    questions: [{ name: PROBE_NAME, type: "A", class: CLASS_IN }],
    answers: [],
    authority: [],
    additional: [],
  });
  const outcomes = askAll(
    questions.map(({ netns, server }) => ({ netns, server: parseAddress(server), port: DNS_PORT, datagram })),
    LIMIT_MS,
  );
  writeSync(1, formatLines(outcomes));
  return 0;
}

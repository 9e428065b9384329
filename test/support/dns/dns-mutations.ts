/** Damaged DNS messages, the same ones for the same seed: for the codec and for the running server. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readCapture } from "../kernel/captures.ts";

/** Whole numbers from 0 to `below` - 1, the same sequence for the same seed (xorshift32). */
function seededIntegers(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Every captured message, by name. */
export function capturedMessages(): ReadonlyMap<string, Uint8Array> {
  const files = readdirSync(join(__dirname, "../../captures/dns")).filter((name) => name.endsWith(".hex"));
  const names = files.sort().map((name) => name.slice(0, -".hex".length));
  return new Map(names.map((name) => [name, readCapture(`dns/${name}`)]));
}

type Integers = (below: number) => number;

const MUTATIONS: readonly ((bytes: Uint8Array, pick: Integers) => Uint8Array)[] = [
  /** One bit. */
  (bytes, pick) => {
    const at = pick(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
    return bytes;
  },
  /** One byte, often a length or a pointer. */
  (bytes, pick) => {
    bytes[pick(bytes.length)] = [0, 1, 63, 64, 0xc0, 0xc1, 0xff, pick(256)][pick(8)] ?? 0;
    return bytes;
  },
  /** A pointer to anywhere. */
  (bytes, pick) => {
    const at = pick(Math.max(1, bytes.length - 1));
    bytes[at] = 0xc0 | pick(2);
    bytes[at + 1] = pick(256);
    return bytes;
  },
  /** Cut off. */
  (bytes, pick) => bytes.slice(0, pick(bytes.length + 1)),
  /** A count of the header. */
  (bytes, pick) => {
    bytes[4 + pick(8)] = pick(4) === 0 ? 0xff : pick(4);
    return bytes;
  },
  /** A piece twice. */
  (bytes, pick) => {
    const from = pick(bytes.length);
    const piece = bytes.slice(from, from + pick(40));
    return Uint8Array.from([...bytes.slice(0, from), ...piece, ...bytes.slice(from)]);
  },
  /** A tail of anything. */
  (bytes, pick) => Uint8Array.from([...bytes, ...Array.from({ length: 1 + pick(30) }, () => pick(256))]),
];

/** `count` messages, each a captured one with one to four faults. */
export function* mutatedMessages(seed: number, count: number): Generator<Uint8Array> {
  const pick = seededIntegers(seed);
  const originals = [...capturedMessages().values()];
  for (let made = 0; made < count; made++) {
    let bytes: Uint8Array = (originals[pick(originals.length)] ?? new Uint8Array()).slice();
    for (let faults = 1 + pick(4); faults > 0 && bytes.length > 0; faults--) {
      bytes = MUTATIONS[pick(MUTATIONS.length)]?.(bytes, pick) ?? bytes;
    }
    yield bytes;
  }
}

/** Damaged messages: decoding ends, with a value or with a typed error, and a value encodes to what it was. */
import { isDeepStrictEqual } from "node:util";
import { mutatedMessages } from "../../test/support/dns/dns-mutations.ts";
import { FairleadError } from "../errors.ts";
import { decodeHead, decodeMessage, encodeMessage, type Message } from "./message.ts";

const SEED = 20_260_101;
const MESSAGES = 60_000;

function attempt<T>(decode: () => T): T | FairleadError {
  try {
    return decode();
  } catch (thrown) {
    if (thrown instanceof FairleadError && thrown.code === "decode-failure") return thrown;
    throw thrown;
  }
}

test(`${MESSAGES} damaged messages`, () => {
  let readable = 0;
  for (const bytes of mutatedMessages(SEED, MESSAGES)) {
    const untouched = bytes.slice();
    attempt(() => decodeHead(bytes));
    const decoded = attempt(() => decodeMessage(bytes));
    if (decoded instanceof FairleadError) continue;
    readable++;
    const again = decodeMessage(encodeMessage(decoded as Message));
    // Asked first without jest, whose comparison takes longer than all the rest.
    if (!isDeepStrictEqual(again, decoded)) expect(again).toEqual(decoded);
    if (!isDeepStrictEqual(bytes, untouched)) expect(bytes).toEqual(untouched);
  }
  // Both kinds are there in numbers: neither did everything break, nor nothing.
  expect(readable).toBeGreaterThan(MESSAGES / 20);
  expect(readable).toBeLessThan(MESSAGES);
});

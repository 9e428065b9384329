import { readCapture } from "../../test/support/kernel/captures.ts";
import { hexBytes } from "../../test/support/kernel/hex.ts";
import { FairleadError } from "../errors.ts";
import {
  decodeDone,
  decodeError,
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "./message.ts";

function message(type: number, flags: number, hex: string): NetlinkMessage {
  return { type, flags, sequence: 7, portId: 42, payload: hexBytes(hex) };
}

describe("messages", () => {
  test("are written with their length, and padded to four bytes", () => {
    const payload = Uint8Array.of(1, 2, 3, 4, 5);
    expect(encodeMessage({ type: 16, flags: 0x605, sequence: 7, portId: 0, payload })).toEqual(
      hexBytes(`
        15 00 00 00   # length 21: without the padding
        10 00 05 06   # type, flags
        07 00 00 00   # sequence
        00 00 00 00   # port ID
        01 02 03 04
        05 00 00 00   # padding
      `),
    );
  });

  test("are found one after the other in a datagram", () => {
    const one = encodeMessage(message(16, 0, "01 02 03 04 05"));
    const two = encodeMessage(message(NLMSG_DONE, 2, "00 00 00 00"));
    const [first, second, ...rest] = decodeMessages(Uint8Array.of(...one, ...two));
    expect(first).toEqual(message(16, 0, "01 02 03 04 05"));
    expect(second).toEqual(message(NLMSG_DONE, 2, "00 00 00 00"));
    expect(rest).toEqual([]);
  });

  test("may end without padding", () => {
    const unpadded = encodeMessage(message(16, 0, "01 02 03 04 05")).subarray(0, 21);
    expect(decodeMessages(unpadded)).toEqual([message(16, 0, "01 02 03 04 05")]);
  });

  test.each([
    ["a length below the header", "0f 00 00 00 10 00 00 00 00 00 00 00 00 00 00 00"],
    ["a length beyond the end", "11 00 00 00 10 00 00 00 00 00 00 00 00 00 00 00"],
    ["a cut header", "10 00 00 00 10 00"],
  ])("with %s are refused", (_, hex) => {
    expect(() => decodeMessages(hexBytes(hex))).toThrow(FairleadError);
  });
});

/** errno, then the header of the request. */
const SUCCESS = "00 00 00 00 2c 00 00 00 18 00 05 06 07 00 00 00 00 00 00 00";
const REFUSAL = "9b ff ff ff 2c 00 00 00 18 00 05 06 07 00 00 00 00 00 00 00";
const REFUSAL_REST = `
  02 10 00 00 fe 03 00 01 00 00 00 00   # struct rtmsg
  08 00 01 00 0a 32 00 00               # RTA_DST
  08 00 05 00 0a 63 63 63               # RTA_GATEWAY
`;

describe("acknowledgements", () => {
  test("say what the kernel said, after the quoted request (captured)", () => {
    const [answer] = decodeMessages(readCapture("route/route-refused.reply"));
    if (!answer) throw new Error("no message");
    expect(answer.type).toBe(NLMSG_ERROR);
    expect(decodeError(answer)).toEqual({
      errno: 101,
      extack: { text: "Nexthop has invalid gateway" },
    });
  });

  test("without extack say the errno alone (captured)", () => {
    const [answer] = decodeMessages(readCapture("route/link-exists.reply"));
    if (!answer) throw new Error("no message");
    expect(decodeError(answer)).toEqual({ errno: 17, extack: {} });
  });

  test("that are capped quote the header alone", () => {
    const offset = "08 00 02 00 1c 00 00 00";
    const capped = message(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, REFUSAL + offset);
    expect(decodeError(capped)).toEqual({ errno: 101, extack: { offset: 28 } });
  });

  test("that are not capped quote all of a refused request", () => {
    const whole = message(NLMSG_ERROR, NLM_F_ACK_TLVS, `${REFUSAL}${REFUSAL_REST}08 00 05 00 05 00 00 00`);
    expect(decodeError(whole)).toEqual({ errno: 101, extack: { missingType: 5 } });
  });

  test("of success quote the header alone even when they are not capped", () => {
    const warning = message(NLMSG_ERROR, NLM_F_ACK_TLVS, `${SUCCESS}07 00 01 00 68 69 00 00`);
    expect(decodeError(warning)).toEqual({ errno: 0, extack: { text: "hi" } });
  });

  test("have a cookie and a policy", () => {
    const attributes = `
      06 00 03 00 01 02 00 00               # NLMSGERR_ATTR_COOKIE
      0c 00 04 80 08 00 01 00 0b 00 00 00   # NLMSGERR_ATTR_POLICY, NL_POLICY_TYPE_ATTR_TYPE
      08 00 06 00 10 00 00 00               # NLMSGERR_ATTR_MISS_NEST
    `;
    expect(
      decodeError(message(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, `${REFUSAL}\n${attributes}`)),
    ).toEqual({
      errno: 101,
      extack: { cookie: Uint8Array.of(1, 2), policy: { type: 11 }, missingNest: 16 },
    });
  });

  test("have no extack unless they say so, whatever follows", () => {
    const silent = message(NLMSG_ERROR, NLM_F_CAPPED, `${REFUSAL}08 00 02 00 1c 00 00 00`);
    expect(decodeError(silent)).toEqual({ errno: 101, extack: {} });
  });

  test("that are too short, or quote more than they hold, are refused", () => {
    expect(() => decodeError(message(NLMSG_ERROR, 0, "00 00 00 00"))).toThrow(FairleadError);
    const beyond = decodeError(message(NLMSG_ERROR, NLM_F_ACK_TLVS, REFUSAL));
    expect(beyond).toEqual({ errno: 101, extack: {} });
  });
});

describe("the end of a dump", () => {
  test.each([
    ["no status", "", 0],
    ["zero", "00 00 00 00", 0],
    ["the number of bytes", "10 00 00 00", 0],
    ["an errno", "fe ff ff ff", 2],
  ])("with %s", (_, hex, errno) => {
    expect(decodeDone(message(NLMSG_DONE, 2, hex))).toEqual({ errno, extack: {} });
  });

  test("may say in words why it failed", () => {
    const done = message(NLMSG_DONE, NLM_F_ACK_TLVS, "fe ff ff ff 07 00 01 00 68 69 00 00");
    expect(decodeDone(done)).toEqual({ errno: 2, extack: { text: "hi" } });
  });
});

import { hexBytes } from "../../../test/support/kernel/hex.ts";
import { parseAddress } from "../../addr/address.ts";
import { connectionMessage, deleteConnection, getConnections, IPPROTO_UDP } from "./message.ts";

/** One answer to `conntrack -L -p udp` on Linux 6.18, after the netlink header. */
const LISTED = hexBytes(`
  02 00 00 00  # nfgenmsg: AF_INET
  34 00 01 80  # CTA_TUPLE_ORIG
  14 00 01 80  # CTA_TUPLE_IP
  08 00 01 00  # CTA_IP_V4_SRC
  7f 00 00 01
  08 00 02 00  # CTA_IP_V4_DST
  7f 00 00 01
  1c 00 02 80  # CTA_TUPLE_PROTO
  05 00 01 00  # CTA_PROTO_NUM
  11 00 00 00
  06 00 02 00  # CTA_PROTO_SRC_PORT
  97 66 00 00
  06 00 03 00  # CTA_PROTO_DST_PORT
  14 e9 00 00
  34 00 02 80  # CTA_TUPLE_REPLY
  14 00 01 80  # CTA_TUPLE_IP
  08 00 01 00  # CTA_IP_V4_SRC
  7f 00 00 02
  08 00 02 00  # CTA_IP_V4_DST
  7f 00 00 01
  1c 00 02 80  # CTA_TUPLE_PROTO
  05 00 01 00  # CTA_PROTO_NUM
  11 00 00 00
  06 00 02 00  # CTA_PROTO_SRC_PORT
  00 35 00 00
  06 00 03 00  # CTA_PROTO_DST_PORT
  97 66 00 00
  08 00 03 00  # CTA_STATUS
  00 00 01 a8
  08 00 08 00  # CTA_MARK
  00 00 00 00
  08 00 0c 00  # CTA_ID
  da 10 bb 9d
  08 00 0b 00  # CTA_USE
  00 00 00 01
  08 00 07 00  # CTA_TIMEOUT
  00 00 00 1d`);

const CONNECTION = {
  family: 2,
  version: 0,
  resourceId: 0,
  original: {
    addresses: { source4: parseAddress("127.0.0.1"), destination4: parseAddress("127.0.0.1") },
    protocol: { number: 17, sourcePort: 38758, destinationPort: 5353 },
  },
  reply: {
    addresses: { source4: parseAddress("127.0.0.2"), destination4: parseAddress("127.0.0.1") },
    protocol: { number: 17, sourcePort: 53, destinationPort: 38758 },
  },
  status: 0x1a8,
  mark: 0,
  id: 0xda10bb9d,
  use: 1,
  timeoutSeconds: 29,
};

test("a listed connection is read, and written as it came", () => {
  expect(connectionMessage.decode(LISTED)).toEqual(CONNECTION);
  expect(connectionMessage.encode(connectionMessage.decode(LISTED))).toEqual(LISTED);
});

test("a connection is deleted by its original tuple and its identity", () => {
  const { payload, type } = deleteConnection(CONNECTION);
  expect(type).toBe(0x0102);
  const identity = hexBytes("08 00 0c 00 da 10 bb 9d");
  expect(payload).toEqual(Uint8Array.from([...LISTED.subarray(0, 56), ...identity]));
});

test("the request for a list names the protocol, and that it is to be filtered by", () => {
  const request = getConnections(4, IPPROTO_UDP);
  expect(request.payload).toEqual(
    hexBytes(`
      02 00 00 00  # nfgenmsg: AF_INET
      10 00 01 80  # CTA_TUPLE_ORIG
      0c 00 02 80  # CTA_TUPLE_PROTO
      05 00 01 00  # CTA_PROTO_NUM
      11 00 00 00
      14 00 19 80  # CTA_FILTER
      08 00 01 00  # CTA_FILTER_ORIG_FLAGS, host order
      08 00 00 00
      08 00 02 00  # CTA_FILTER_REPLY_FLAGS
      00 00 00 00`),
  );
  expect(request.accepts?.(CONNECTION)).toBe(true);
  expect(request.accepts?.({ ...CONNECTION, original: { protocol: { number: 6 } } })).toBe(false);
});

test("what is cut short is a decode failure, wherever the cut is", () => {
  for (let length = 0; length < LISTED.length; length++) {
    if (length === 4) continue;
    const cut = LISTED.subarray(0, length);
    let decoded: unknown;
    try {
      decoded = connectionMessage.decode(cut);
    } catch (error) {
      expect(error).toMatchObject({ code: "decode-failure" });
      continue;
    }
    // Cut between two attributes: what is left is whole.
    expect(CONNECTION).toMatchObject(decoded as object);
  }
});

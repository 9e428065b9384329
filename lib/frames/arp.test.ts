import { hexBytes } from "../../test/support/kernel/hex.ts";
import { parseAddress } from "../addr/address.ts";
import { arpClaim, arpProbe } from "./arp.ts";

const OWN = "02:00:00:00:00:01";
const OTHER = "02:00:00:00:00:02";
const ADDRESS = parseAddress("192.168.1.16");

const PROBE = hexBytes(`
  ffff ffff ffff 0200 0000 0001 0806   # from OWN to all, ARP
  0001 0800 06 04 0001                 # Ethernet, IPv4, lengths, request
  0200 0000 0001 0000 0000             # sender: OWN, no address
  0000 0000 0000 c0a8 0110             # target: unknown, 192.168.1.16
`);

/** An ARP frame of OTHER. */
function frame({ operation = "0002", mac = "020000000002", sender = "c0a80110", target = "00000000" }) {
  return hexBytes(`
    0200 0000 0001 ${mac} 0806
    0001 0800 06 04 ${operation}
    ${mac} ${sender}
    0200 0000 0001 ${target}
  `);
}

test("a probe says who asks, and claims nothing", () => {
  expect(arpProbe(OWN, ADDRESS)).toEqual(PROBE);
});

test.each<[string, Parameters<typeof frame>[0], string | null]>([
  ["the answer of the holder", {}, OTHER],
  ["a question of the holder, for another address", { operation: "0001", target: "c0a80101" }, OTHER],
  ["the probe of another machine", { operation: "0001", sender: "00000000", target: "c0a80110" }, OTHER],
  [
    "a question for the address by somebody else",
    { operation: "0001", sender: "c0a80102", target: "c0a80110" },
    null,
  ],
  ["an answer about another address", { sender: "c0a80111" }, null],
  ["a probe of another address", { operation: "0001", sender: "00000000", target: "c0a80111" }, null],
  ["an answer without an address", { sender: "00000000", target: "c0a80110" }, null],
  ["our own frame, sent back", { mac: "020000000001" }, null],
])("%s", (_, fields, claimant) => {
  expect(arpClaim(frame(fields), OWN, ADDRESS)).toBe(claimant);
});

test("our own probe is no claim, and what is shorter or something else says nothing", () => {
  expect(arpClaim(PROBE, OWN, ADDRESS)).toBeNull();
  const answer = frame({});
  for (let length = 0; length < answer.length; length += 1)
    expect(arpClaim(answer.subarray(0, length), OWN, ADDRESS)).toBeNull();
  // Ethertype; hardware type; protocol type; lengths.
  for (const at of [13, 15, 17, 18, 19]) {
    const other = answer.slice();
    other[at] = (other[at] ?? 0) + 1;
    expect(arpClaim(other, OWN, ADDRESS)).toBeNull();
  }
});

test("padding of short frames is passed over", () => {
  expect(arpClaim(Uint8Array.from([...frame({}), ...new Uint8Array(18)]), OWN, ADDRESS)).toBe(OTHER);
});

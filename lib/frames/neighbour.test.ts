import { hexBytes } from "../../test/support/kernel/hex.ts";
import { parseAddress } from "../addr/address.ts";
import { neighbourClaim, neighbourProbe } from "./neighbour.ts";

const OWN = "02:00:00:00:00:01";
const OTHER = "02:00:00:00:00:02";
const ADDRESS = parseAddress("fd00:c0f:2::ab:10");
const TARGET = "fd00 0c0f 0002 0000 0000 0000 00ab 0010";
const NOBODY = "0000 0000 0000 0000 0000 0000 0000 0000";

const PROBE = hexBytes(`
  3333 ffab 0010 0200 0000 0001 86dd        # to the group's MAC, from OWN, IPv6
  6000 0000 0018 3a ff                      # 24 bytes of ICMPv6, hop limit 255
  ${NOBODY}                                 # from the unspecified address
  ff02 0000 0000 0000 0000 0001 ffab 0010   # to the solicited-node group
  87 00 7020 0000 0000                  # neighbour solicitation
  ${TARGET}
`);

/** A frame of OTHER. */
function frame({ type = "88", source = TARGET, target = TARGET, hops = "ff", mac = "020000000002" }) {
  return hexBytes(`
    3333 0000 0001 ${mac} 86dd
    6000 0000 0020 3a ${hops}
    ${source}
    ff02 0000 0000 0000 0000 0000 0000 0001
    ${type} 00 0000 2000 0000
    ${target}
    02 01 ${mac}   # option: target link-layer address
  `);
}

test("a probe goes to all that may have the address, from nobody", () => {
  expect(neighbourProbe(OWN, ADDRESS)).toEqual(PROBE);
});

const ELSE = "fd00 0c0f 0002 0000 0000 0000 00ab 0011";

test.each<[string, Parameters<typeof frame>[0], string | null]>([
  ["the advertisement of the holder", {}, OTHER],
  ["the probe of another machine", { type: "87", source: NOBODY }, OTHER],
  ["a solicitation by somebody who looks for the holder", { type: "87", source: ELSE }, null],
  ["an advertisement of another address", { target: ELSE }, null],
  ["a probe of another address", { type: "87", source: NOBODY, target: ELSE }, null],
  ["one that came over a router", { hops: "fe" }, null],
  ["another message of ICMPv6", { type: "86" }, null],
  ["our own frame, sent back", { mac: "020000000001" }, null],
])("%s", (_, fields, claimant) => {
  expect(neighbourClaim(frame(fields), OWN, ADDRESS)).toBe(claimant);
});

test("our own probe is no claim, and what is shorter or something else says nothing", () => {
  expect(neighbourClaim(PROBE, OWN, ADDRESS)).toBeNull();
  const answer = frame({});
  for (let length = 0; length < 78; length += 1)
    expect(neighbourClaim(answer.subarray(0, length), OWN, ADDRESS)).toBeNull();
  expect(neighbourClaim(answer.subarray(0, 78), OWN, ADDRESS)).toBe(OTHER);
  // Ethertype; next header; code.
  for (const at of [13, 20, 55]) {
    const other = answer.slice();
    other[at] = (other[at] ?? 0) + 1;
    expect(neighbourClaim(other, OWN, ADDRESS)).toBeNull();
  }
});

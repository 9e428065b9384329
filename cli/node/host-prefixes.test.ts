import { parseRange } from "../../lib/addr/range.ts";
import { parseNameServers, readHostPrefixes } from "./host-prefixes.ts";

test("name servers", () => {
  expect(
    parseNameServers("# nameserver 1.1.1.1\nnameserver 10.0.0.53\n nameserver fe80::1%eth0\nnameserver x\n"),
  ).toEqual(["10.0.0.53", "fe80::1"]);
});

test("what this machine reaches by other ways is what a request can hold", () => {
  expect(() => readHostPrefixes().map(parseRange)).not.toThrow();
});

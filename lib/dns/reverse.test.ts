import { parseAddress } from "../addr/address.ts";
import { reversedAddress, reverseName } from "./reverse.ts";

test.each([
  ["10.77.0.2", "2.0.77.10.in-addr.arpa"],
  ["fd00::1:2", `2.0.0.0.1.${"0.".repeat(25)}d.f.ip6.arpa`],
])("%s has the name %s", (text, name) => {
  expect(reverseName(parseAddress(text))).toBe(name);
  expect(reversedAddress(name)).toEqual(parseAddress(text));
});

test.each([
  "web",
  "in-addr.arpa",
  "10.in-addr.arpa",
  "a.b.c.d.in-addr.arpa",
  "256.0.0.10.in-addr.arpa",
  "x.2.0.77.10.in-addr.arpa",
  "ip6.arpa",
  "1.2.ip6.arpa",
  `${"g.".repeat(32)}ip6.arpa`,
  `${"10.".repeat(32)}ip6.arpa`,
])("%s is no address's", (name) => {
  expect(reversedAddress(name)).toBeNull();
});

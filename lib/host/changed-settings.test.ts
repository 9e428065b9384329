import { parseChangedSettings } from "./changed-settings.ts";

test("a setting that was changed twice goes back to where it was first", () => {
  const text = "ipv4/ip_forward 0 1\nipv6/conf/eth0.1/accept_ra 1 2\nipv4/ip_forward 2 1\n";
  expect(parseChangedSettings(text)).toEqual([
    { key: ["ipv4", "ip_forward"], before: "0", after: "1" },
    { key: ["ipv6", "conf", "eth0.1", "accept_ra"], before: "1", after: "2" },
  ]);
});

test("what a crash left of a line is passed over", () => {
  expect(parseChangedSettings("ipv4/ip_forward 0 1\nipv4/ip_for")).toHaveLength(1);
  expect(parseChangedSettings("")).toEqual([]);
});

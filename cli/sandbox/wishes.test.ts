import { parseNetworkWish } from "./wishes.ts";

test.each([
  ["web", { reference: "web", wishes: { aliases: [], links: [] } }],
  [
    "web,ip=10.1.0.5,alias=a,alias=b,mac-address=02:00:00:00:00:01,gw-priority=-3",
    {
      reference: "web",
      wishes: {
        ip: "10.1.0.5",
        mac: "02:00:00:00:00:01",
        gatewayPriority: -3,
        aliases: ["a", "b"],
        links: [],
      },
    },
  ],
  ["ip6=fd00::5,name=web", { reference: "web", wishes: { ip6: "fd00::5", aliases: [], links: [] } }],
])("network %s", (text, expected) => {
  expect(parseNetworkWish(text)).toEqual(expected);
});

test.each(["", "web,", "web,ip", "web,ip=", "web,nosuch=1", "ip=10.1.0.5", "web,gw-priority=high", "a,b"])(
  "network %j is refused",
  (text) => {
    expect(() => parseNetworkWish(text)).toThrow("invalid network");
  },
);

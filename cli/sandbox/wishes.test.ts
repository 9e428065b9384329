import { parseNetworkWish, parsePublish } from "./wishes.ts";

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

const tcp = (hostPort: number, containerPort: number) => ({ hostPort, containerPort, protocol: "tcp" });

test.each([
  ["8080:80", [tcp(8080, 80)]],
  ["53:5353/udp", [{ hostPort: 53, containerPort: 5353, protocol: "udp" }]],
  ["127.0.0.1:8080:80", [{ ...tcp(8080, 80), hostIP: "127.0.0.1" }]],
  ["[::1]:8080:80/sctp", [{ hostPort: 8080, containerPort: 80, protocol: "sctp", hostIP: "::1" }]],
  ["8000-8001:80-81", [tcp(8000, 80), tcp(8001, 81)]],
])("published port %s", (text, expected) => {
  expect(parsePublish(text)).toEqual(expected);
});

test.each([
  ["80", "it is not"],
  ["0:80", "0 is not a port"],
  ["8080:70000", "70000 is not a port"],
  ["8080:80/icmp", "it is not"],
  ["8000-8002:80-81", "the ranges differ in length"],
  ["8001-8000:81-80", "a range ends before it begins"],
  ["::1:80:80", "it is not"],
])("published port %j is refused: %s", (text, problem) => {
  expect(() => parsePublish(text)).toThrow(problem);
});

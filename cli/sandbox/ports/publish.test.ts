import { parseExpose, parsePublish } from "./publish.ts";

/** `hostIP hostFirst-hostLast>containerPort/protocol` of each. */
const shown = (text: string): string[] =>
  parsePublish(text).map(({ hostIP = "*", hostPorts, containerPort, protocol }) => {
    const host = hostPorts === null ? "any" : [...new Set(hostPorts)].join("-");
    return `${hostIP} ${host}>${containerPort}/${protocol}`;
  });

/** Source of the forms: docker run(1), go-connections nat_test.go. */
test.each([
  ["80", ["* any>80/tcp"]],
  ["80/udp", ["* any>80/udp"]],
  ["80-81", ["* any>80/tcp", "* any>81/tcp"]],
  ["8080:80", ["* 8080>80/tcp"]],
  ["0:80", ["* any>80/tcp"]],
  [":80", ["* any>80/tcp"]],
  ["53:5353/UDP", ["* 53>5353/udp"]],
  ["127.0.0.1:8080:80", ["127.0.0.1 8080>80/tcp"]],
  ["127.0.0.1::80", ["127.0.0.1 any>80/tcp"]],
  [":8300:80", ["* 8300>80/tcp"]],
  ["[fd00::1]:8080:80/sctp", ["fd00::1 8080>80/sctp"]],
  ["[::]::80", [":: any>80/tcp"]],
  ["8000-8001:80-81", ["* 8000>80/tcp", "* 8001>81/tcp"]],
  ["8000-8010:80", ["* 8000-8010>80/tcp"]],
  ["published=8080,target=80", ["* 8080>80/tcp"]],
  ["target=80,published=8080,protocol=udp", ["* 8080>80/udp"]],
  ["target=80", ["* any>80/tcp"]],
])("%s", (text, expected) => expect(shown(text)).toEqual(expected));

test.each([
  ["", "it is not"],
  ["8080:", "it is not"],
  ["8080:70000", "70000 is not a port"],
  ["8080:0", "0 is not a port"],
  ["x:80", "x is not a port"],
  ["8080:80/icmp", '"icmp" is none of tcp, udp, sctp'],
  ["8080:80/tcp,udp", '"tcp,udp" is none of tcp, udp, sctp'],
  ["8080:80/", '"" is none of tcp, udp, sctp'],
  ["8000-8002:80-81", "the ranges differ in length"],
  ["8001-8000:81-80", "a range ends before it begins"],
  ["::1:80:80", "an IPv6 address stands in brackets"],
  ["[10.0.0.1]:80:80", '"10.0.0.1" is not an IPv6 address'],
  ["[]:80:80", "there is no address in the brackets"],
  ["localhost:8080:80", '"localhost" is not an IPv4 address'],
  ["10.0.0.300:80:80", '"10.0.0.300" is not an IPv4 address'],
  ["published=8080,target=80,mode=host", '"mode=host" is none of published=, target=, protocol='],
  ["published=8080", "it is not"],
])("%j is refused: %s", (text, problem) => {
  expect(() => parsePublish(text)).toThrow(`invalid published port ${JSON.stringify(text)}: `);
  expect(() => parsePublish(text)).toThrow(problem);
});

test("exposed ports have no host", () => {
  expect(parseExpose("80-81/udp")).toEqual([
    { containerPort: 80, protocol: "udp" },
    { containerPort: 81, protocol: "udp" },
  ]);
  for (const text of ["", "8080:80", "80/x", "http"])
    expect(() => parseExpose(text)).toThrow("invalid published port");
});

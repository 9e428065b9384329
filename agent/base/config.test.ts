import { hostname } from "node:os";
import { refusalOf } from "../../test/support/failures.ts";
import { CONFIG_KEYS, defaultAgentConfig, parseAgentConfig } from "./config.ts";

/** The problems that a file is refused with. */
const problemsOf = (text: string) => refusalOf(() => parseAgentConfig(text, "f.yaml")).reason;

test("nothing said means the defaults", () => {
  for (const text of ["", "# only a comment\n", "dns:\nlog: {}\n", "socket:\n"])
    expect(parseAgentConfig(text, "f.yaml")).toEqual(defaultAgentConfig());
  expect(defaultAgentConfig()).toEqual({
    serverSocket: "/run/fairlead/fairlead.sock",
    socket: "/run/fairlead/agent.sock",
    stateDir: "/var/lib/fairlead",
    cniConfDir: "/etc/cni/net.d",
    cniCacheDir: "/var/lib/cni",
    nodeName: hostname(),
    networks: { enabled: true },
    firewall: { accept: "auto" },
    dns: { enabled: true, upstreams: null },
    workers: 4,
    reaper: { enabled: true },
    log: { level: "info", format: "json" },
  });
});

test.each(Object.entries(CONFIG_KEYS))(
  "help says of %s what it takes, what it is by default, and what for",
  (_key, { type, fallback, description }) => {
    expect([type, fallback, description]).toEqual(Array(3).fill(expect.stringMatching(/./)));
  },
);

test("every key is taken", () => {
  const text = `
serverSocket: /tmp/s.sock
socket: /tmp/a.sock
stateDir: /tmp/state
cniConfDir: /tmp/net.d
cniCacheDir: /tmp/cache
nodeName: n1.example
networks: {enabled: false}
firewall: {accept: "off"}
dns:
  enabled: false
  upstreams: [192.0.2.53, "2001:db8::53", "192.0.2.53#5353", "2001:db8::53#1", "192.0.2.53#65535"]
workers: 0
reaper: {enabled: false}
log: {level: debug, format: text}
`;
  expect(parseAgentConfig(text, "f.yaml")).toEqual({
    serverSocket: "/tmp/s.sock",
    socket: "/tmp/a.sock",
    stateDir: "/tmp/state",
    cniConfDir: "/tmp/net.d",
    cniCacheDir: "/tmp/cache",
    nodeName: "n1.example",
    networks: { enabled: false },
    firewall: { accept: "off" },
    dns: {
      enabled: false,
      upstreams: ["192.0.2.53", "2001:db8::53", "192.0.2.53#5353", "2001:db8::53#1", "192.0.2.53#65535"],
    },
    workers: 0,
    reaper: { enabled: false },
    log: { level: "debug", format: "text" },
  });
  expect(parseAgentConfig("workers: 64", "f.yaml").workers).toBe(64);
  const eight =
    "dns: {upstreams: [192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5, 192.0.2.6, 192.0.2.7, 192.0.2.8]}";
  expect(parseAgentConfig(eight, "f.yaml").dns.upstreams).toHaveLength(8);
});

test.each([
  ["workers: -1", "workers: -1 is not a whole number from 0 to 64"],
  ["workers: 65", "65 is not a whole number from 0 to 64"],
  ["workers: 1.5", "1.5 is not a whole number from 0 to 64"],
  ['workers: "4"', '"4" is not a whole number from 0 to 64'],
  ["dns: {upstreams: 192.0.2.53}", "it must be a list of at most 8 addresses"],
  [
    `dns: {upstreams: [${Array(9).fill("192.0.2.53").join(", ")}]}`,
    "it must be a list of at most 8 addresses",
  ],
  ["dns: {upstreams: [5]}", "5 is not text"],
  ["dns: {upstreams: [example.org]}", '"example.org" is not like 192.0.2.53'],
  ['dns: {upstreams: ["192.0.2.53#0"]}', '"192.0.2.53#0" is not like'],
  ['dns: {upstreams: ["192.0.2.53#65536"]}', '"192.0.2.53#65536" is not like'],
  ['dns: {upstreams: ["192.0.2.53#"]}', '"192.0.2.53#" is not like'],
  ['dns: {upstreams: ["192.0.2.53#x"]}', '"192.0.2.53#x" is not like'],
  ['dns: {upstreams: ["x#53 192.0.2.53"]}', "is not like"],
  ['dns: {upstreams: ["x#192.0.2.53"]}', "is not like"],
  ["dns: {enabled: 1}", "dns.enabled: 1 is neither true nor false"],
  ["firewall: {accept: on}", '"on" is not one of auto, off'],
  ["socket: a.sock", '"a.sock" is not an absolute path'],
  ["stateDir: state", '"state" is not an absolute path'],
  ["nodeName: a b", "is not a host name"],
  ["log: {level: loud}", '"loud" is not one of trace'],
  ["log: {format: xml}", '"xml" is not one of json, text'],
  ["reaper: {enable: true}", 'reaper.enable: unknown key; did you mean "reaper.enabled"?'],
])("%s is refused", (text, problem) => {
  expect(problemsOf(text)).toContain(problem);
});

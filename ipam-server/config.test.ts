import { refusalOf } from "../test/support/failures.ts";
import { CONFIG_KEYS, defaultConfig, parseConfig } from "./config.ts";

/** The problems that a file is refused with. */
const problemsOf = (text: string) => refusalOf(() => parseConfig(text, "f.yaml")).reason;

test.each(Object.entries(CONFIG_KEYS))(
  "help says of %s what it takes, what it is by default, and what for",
  (_key, { type, fallback, description }) => {
    expect([type, fallback, description]).toEqual(Array(3).fill(expect.stringMatching(/./)));
  },
);

test("nothing said means the defaults", () => {
  for (const text of ["", "# only a comment\n", "http:\nlog: {}\n", "socket:\n"]) {
    expect(parseConfig(text, "f.yaml")).toEqual(defaultConfig());
  }
  expect(defaultConfig()).toMatchObject({
    socket: "/run/fairlead/fairlead.sock",
    stateDir: "/var/lib/fairlead",
    coolingSeconds: 60,
    defaultPools: null,
    predefinedNetworks: true,
    http: { listen: null },
    grpc: { listen: null },
    log: { level: "info", format: "json" },
    intentsDir: "/var/lib/fairlead/release-intents",
  });
});

test("every key is taken", () => {
  const text = `
socket: /tmp/f.sock
stateDir: /tmp/state
nodeName: n1.example
coolingSeconds: 0
defaultPools:
  - {base: 10.9.0.0/16, size: 26}
predefinedNetworks: false
http: {listen: "[::1]:7410"}
grpc: {listen: "unix:///tmp/g.sock"}
log:
  level: debug
  format: text
history:
  keep: {days: 7}
`;
  expect(parseConfig(text, "f.yaml")).toEqual({
    history: { keep: { days: 7, events: 10_000_000 } },
    socket: "/tmp/f.sock",
    stateDir: "/tmp/state",
    nodeName: "n1.example",
    coolingSeconds: 0,
    defaultPools: [{ base: "10.9.0.0/16", size: 26 }],
    predefinedNetworks: false,
    http: { listen: { host: "::1", port: 7410 } },
    grpc: { listen: { path: "/tmp/g.sock" } },
    log: { level: "debug", format: "text" },
    intentsDir: "/tmp/state/release-intents",
  });
});

test.each([
  ["sockt: /a", 'line 1: sockt: unknown key; did you mean "socket"?'],
  ["http: {lisen: 127.0.0.1:1}", 'line 1: http.lisen: unknown key; did you mean "http.listen"?'],
  ["log: {levle: info}", 'log.levle: unknown key; did you mean "log.level"?'],
  ["cooling_seconds: 5", 'unknown key; did you mean "coolingSeconds"?'],
  ["statedir: /x", 'unknown key; did you mean "stateDir"?'],
  ["level: info", 'unknown key; did you mean "log.level"?'],
  ["banana: 1", "line 1: banana: unknown key"],
  ["__proto__: 1", "unknown key"],
  ["http: 127.0.0.1:80", "line 1: http: it must be a map of keys, such as http.listen"],
  ["- a", "it must be a map of keys and values"],
  ["socket: run/f.sock", 'socket: "run/f.sock" is not an absolute path'],
  ["socket: 5", "socket: 5 is not text"],
  [`socket: /${"x".repeat(120)}`, "the path has 121 bytes; the kernel takes at most 107"],
  ["nodeName: a b", "is not a host name"],
  ["predefinedNetworks: maybe", '"maybe" is neither true nor false'],
  ["coolingSeconds: -1", "coolingSeconds: -1 is not a whole number of seconds"],
  ["coolingSeconds: 1.5", "1.5 is not a whole number of seconds"],
  ['coolingSeconds: "60"', '"60" is not a whole number of seconds'],
  ["defaultPools: 10.0.0.0/8", "it must be a list"],
  ["defaultPools: [{base: 10.0.0.0/8}]", "is not like {base: 10.64.0.0/13, size: 24}"],
  ["defaultPools: [{base: 10.0.0.1/8, size: 24}]", "defaultPools: "],
  ["defaultPools: [{base: 10.0.0.0/8, size: 33}]", "33 is not a whole number from 8 to 30"],
  ["defaultPools: [{base: 10.0.0.0/8, size: 24, x: 1}]", 'unknown key "x"'],
  ["http: {listen: 0.0.0.0:80}", '"0.0.0.0" is not a loopback address'],
  ["http: {listen: 10.0.0.1:80}", "is not a loopback address"],
  ["http: {listen: example.org:80}", "is not a loopback address"],
  ['http: {listen: "[::]:80"}', '"::" is not a loopback address'],
  ["grpc: {listen: 192.168.0.1:80}", "is not a loopback address"],
  ["http: {listen: 127.0.0.1}", "is not like 127.0.0.1:7410"],
  ["http: {listen: 127.0.0.1:70000}", "is not like 127.0.0.1:7410"],
  ["http: {listen: unix:/tmp/x}", "is not like 127.0.0.1:7410"],
  ['http: {listen: "a[::1]:80"}', "is not like 127.0.0.1:7410"],
  ["http: {listen: 127.0.0.1:80x}", "is not like 127.0.0.1:7410"],
  ["http: {listen: 127.example.org:80}", "is not a loopback address"],
  ["http: {listen: 10.0.0.127:80}", "is not a loopback address"],
  ["http: {listen: 127.0.0.1:65536}", "is not like 127.0.0.1:7410"],
  ["coolingSeconds: 31536001", "31536001 is not a whole number of seconds from 0 to 31536000"],
  ["defaultPools: [{base: 10, size: 24}]", "is not like {base: 10.64.0.0/13, size: 24}"],
  ["grpc: {listen: unix:x}", '"x" is not an absolute path'],
  ["history: {keep: 5}", "5 is not like {days: 90"],
  ["history: {keep: {days: 0}}", "days: 0 is not a whole number from 1"],
  ["history: {keep: {days: 1.5}}", "days: 1.5 is not a whole number from 1"],
  ['history: {keep: {events: "7"}}', 'events: "7" is not a whole number from 1'],
  ["history: {keep: {days: 36501}}", "36501 is not a whole number from 1 to 36500"],
  ["history: {keep: {weeks: 1}}", 'unknown key "weeks"'],
  ["log: {level: loud}", '"loud" is not one of trace, debug, info'],
  ["log: {format: xml}", '"xml" is not one of json, text'],
  ["socket: [", "line 1: it is not YAML"],
  ["socket: /a\nsocket: /b", "line 2: it is not YAML: Map keys must be unique"],
])("%s is refused", (text, problem) => {
  expect(problemsOf(text)).toContain(problem);
});

test.each([1, 36_500])("of the history %i days may be kept, and as many events", (count) => {
  const { history } = parseConfig(`history: {keep: {days: ${count}, events: ${count}}}`, "f.yaml");
  expect(history.keep).toEqual({ days: count, events: count });
});

test.each([
  ["localhost:80", { host: "localhost", port: 80 }],
  ["127.0.0.1:65535", { host: "127.0.0.1", port: 65_535 }],
  ["127.1.2.3:0", { host: "127.1.2.3", port: 0 }],
])("%s is an address of this machine alone, which may be listened on", (text, listen) => {
  expect(parseConfig(`http: {listen: "${text}"}`, "f.yaml").http).toEqual({ listen });
  expect(parseConfig(`grpc: {listen: "${text}"}`, "f.yaml").grpc).toEqual({ listen });
});

test("an address may cool for as much as a year", () => {
  expect(parseConfig("coolingSeconds: 31536000", "f.yaml").coolingSeconds).toBe(31_536_000);
});

test("all problems come at once, with their lines, and in the details", () => {
  const text = "socket: x\n\nhttp:\n  listen: 1.2.3.4:5\nbanana: 1\n";
  const reason = problemsOf(text);
  expect(reason).toMatch(/^3 problems:/);
  expect(reason).toContain("line 1: socket: ");
  expect(reason).toContain("line 4: http.listen: ");
  expect(reason).toContain("line 5: banana: ");
});

test("a hostile file costs no more than its length", () => {
  const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]", "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]", "c: [*b,*b,*b,*b,*b,*b]"];
  expect(problemsOf(bomb.join("\n"))).toContain("unknown key");
  expect(problemsOf(`socket: ${"[".repeat(5_000)}`)).toContain("not YAML");
  expect(problemsOf("#".repeat(1_100_000))).toContain("more than 1048576 characters");
});

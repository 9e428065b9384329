import { parseExtraHost, parseResolverOption, parseSearch } from "./wishes.ts";

test.each([
  ["db:10.0.0.1", { name: "db", address: "10.0.0.1" }],
  ["db=10.0.0.1", { name: "db", address: "10.0.0.1" }],
  ["db:fd00::1", { name: "db", address: "fd00::1" }],
  ["db:[fd00::1]", { name: "db", address: "fd00::1" }],
  ["host.docker.internal:host-gateway", { name: "host.docker.internal", address: "host-gateway" }],
])("--add-host %s", (text, expected) => expect(parseExtraHost(text)).toEqual(expected));

test.each([
  ["db", 'bad format for add-host: "db"'],
  ["a b:10.0.0.1", "bad format for add-host"],
  ["x\n6.6.6.6 bank:10.0.0.1", "bad format for add-host"],
  ["db:", 'invalid IP address in add-host: ""'],
  ["db:10.0.0.300", 'invalid IP address in add-host: "10.0.0.300"'],
  ["db:10.0.0.1\n6.6.6.6 bank", "bad format for add-host"],
])("--add-host %j is refused", (text, message) => expect(() => parseExtraHost(text)).toThrow(message));

test("search domains and options", () => {
  expect([parseSearch("corp.example."), parseSearch("."), parseResolverOption("ndots:2")]).toEqual([
    "corp.example",
    ".",
    "ndots:2",
  ]);
  for (const text of ["", "a b", "x\nnameserver 6.6.6.6"])
    expect(() => parseSearch(text)).toThrow("is not a valid domain");
  for (const text of ["", "ndots:", "a b", "rotate\nnameserver 6.6.6.6"])
    expect(() => parseResolverOption(text)).toThrow("is not an option of resolv.conf");
});

import { dnsOfResolvConf } from "./resolv-conf.ts";

test("servers and options add up; of domain and search the last counts", () => {
  const text = [
    "# a comment",
    "nameserver 192.0.2.53 ; trailing",
    "nameserver \t fd00::53",
    "domain one.example",
    "domain two.example",
    "search a.example b.example",
    "search c.example",
    "options ndots:5 rotate",
    "options timeout:1 # rotate edns0",
    "sortlist 10.0.0.0",
    "",
  ].join("\n");
  expect(dnsOfResolvConf(text)).toEqual({
    nameservers: ["192.0.2.53", "fd00::53"],
    domain: "two.example",
    search: ["c.example"],
    options: ["ndots:5", "rotate", "timeout:1"],
  });
});

test("space around a line is none of its words", () => {
  expect(dnsOfResolvConf("  nameserver 192.0.2.53 \n\tsearch a.example\t\noptions rotate \n")).toEqual({
    nameservers: ["192.0.2.53"],
    domain: "",
    search: ["a.example"],
    options: ["rotate"],
  });
});

test("nothing says nothing", () => {
  expect(dnsOfResolvConf("")).toEqual({ nameservers: [], domain: "", search: [], options: [] });
});

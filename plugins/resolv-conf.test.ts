import { parseResolvConf } from "./resolv-conf.ts";

test("servers and options add up; of domain and search the last counts", () => {
  const text = [
    "# a comment",
    "nameserver 192.0.2.53 ; trailing",
    "nameserver\tfd00::53",
    "domain one.example",
    "domain two.example",
    "search a.example b.example",
    "search c.example",
    "options ndots:5 rotate",
    "options timeout:1",
    "sortlist 10.0.0.0",
    "",
  ].join("\n");
  expect(parseResolvConf(text)).toEqual({
    nameservers: ["192.0.2.53", "fd00::53"],
    domain: "two.example",
    search: ["c.example"],
    options: ["ndots:5", "rotate", "timeout:1"],
  });
});

test("nothing says nothing", () => {
  expect(parseResolvConf("")).toEqual({ nameservers: [], domain: "", search: [], options: [] });
});

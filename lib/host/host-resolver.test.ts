import { hostResolver } from "./host-resolver.ts";

const REAL = "nameserver 192.0.2.1\nnameserver fd00::53\nsearch elsewhere\n";

test("servers, search domains and options, comments aside", () => {
  const text =
    "# made by x\ndomain old\nnameserver 192.0.2.9 # first\nsearch a.test b.test\noptions edns0\noptions rotate\n";
  expect(hostResolver(text, () => REAL)).toEqual({
    nameservers: ["192.0.2.9"],
    search: ["a.test", "b.test"],
    options: ["edns0", "rotate"],
  });
});

test("behind a stub on loopback are the servers that it asks", () => {
  const text = "nameserver 127.0.0.53\noptions trust-ad\nsearch corp.example\n";
  expect(hostResolver(text, () => REAL)).toEqual({
    nameservers: ["192.0.2.1", "fd00::53"],
    search: ["corp.example"],
    options: ["trust-ad"],
  });
  expect(hostResolver(text, () => "").nameservers).toEqual([]);
  expect(hostResolver("nameserver ::1\nnameserver 192.0.2.7\n", () => REAL).nameservers).toEqual([
    "192.0.2.7",
  ]);
  expect(hostResolver("", () => REAL).nameservers).toEqual([]);
});

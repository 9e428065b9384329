import { EMPTY_DNS, EMPTY_RESULT } from "../../lib/cni/result.ts";
import { appendResult } from "./attachment-result.ts";

const BEFORE = {
  ...EMPTY_RESULT,
  interfaces: [{ name: "br0" }, { name: "eth0", sandbox: "/run/netns/a" }],
  ips: [{ address: "10.1.0.2/24", interface: 1 }],
  dns: { ...EMPTY_DNS, nameservers: ["10.1.0.1"] },
};

test("interfaces come behind those before, and addresses follow theirs; one of no interface stays of none", () => {
  const ours = {
    ...EMPTY_RESULT,
    interfaces: [{ name: "br1" }, { name: "eth1", sandbox: "/run/netns/a" }],
    ips: [
      { address: "10.2.0.2/24", interface: 1 },
      { address: "10.3.0.2/24", interface: 0 },
      { address: "10.4.0.2/24" },
    ],
    routes: [{ dst: "0.0.0.0/0" }],
  };
  expect(appendResult(BEFORE, ours)).toEqual({
    interfaces: [...BEFORE.interfaces, ...ours.interfaces],
    ips: [
      { address: "10.1.0.2/24", interface: 1 },
      { address: "10.2.0.2/24", interface: 3 },
      { address: "10.3.0.2/24", interface: 2 },
      { address: "10.4.0.2/24" },
    ],
    routes: ours.routes,
    dns: BEFORE.dns,
  });
  expect(appendResult(BEFORE, { ...ours, dns: { ...EMPTY_DNS, domain: "x" } }).dns).toMatchObject({
    domain: "x",
  });
});

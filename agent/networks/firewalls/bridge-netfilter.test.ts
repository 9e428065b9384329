import { parsePrefix } from "../../../lib/addr/prefix.ts";
import { bridgedPortProblems } from "./bridge-netfilter.ts";

const [v4, v6] = [parsePrefix("10.1.0.0/24"), parsePrefix("fd00:1::/64")];
const network = { networkName: "web", separate: true, internal: false, prefixes: [v4, v6] };
const always = (): boolean => true;

test("names the network, the settings that are on, and what to do", () => {
  const message =
    "network web has icc=false, and br_netfilter is on (net.bridge.bridge-nf-call-iptables=1, net.bridge.bridge-nf-call-ip6tables=1): " +
    "its containers do not reach ports that the network itself publishes; " +
    "sysctl net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0 lets them, " +
    "unless rules of others need it (kube-proxy, Docker)";
  expect(bridgedPortProblems([network], always)).toEqual([
    { severity: "warning", object: "network web", message },
  ]);
});

test("names only settings of families that the network has", () => {
  const [ofIpv6] = bridgedPortProblems([network], (family) => family === 6);
  expect(ofIpv6?.message).toContain("(net.bridge.bridge-nf-call-ip6tables=1)");
  expect(bridgedPortProblems([{ ...network, prefixes: [v4] }], (family) => family === 6)).toEqual([]);
});

test.each([
  ["whose containers reach each other", { separate: false }],
  ["that publishes nothing", { internal: true }],
])("says nothing of a network %s", (_, change) => {
  expect(bridgedPortProblems([{ ...network, ...change }], always)).toEqual([]);
});

test("says nothing where br_netfilter is off", () => {
  expect(bridgedPortProblems([network], () => false)).toEqual([]);
});

import { parseAddress } from "../../../addr/address.ts";
import { verdict } from "../../../netlink/nftables/expr/data.ts";
import {
  PORTMAP_CHAIN_USES,
  type PublishedPort,
  portKey,
  portmapChains,
  portTarget,
  readPort,
} from "./plan.ts";

test("the uses of each chain that are written down are those of its rules and of the jumps to it", () => {
  const chains = portmapChains();
  const jumps = JSON.stringify(verdict.jump("portmap-dnat"));
  const uses = chains.map(({ chain, rules }) => {
    const jumping = chain.name === "portmap-dnat" ? chains.flatMap((one) => one.rules) : [];
    const count = jumping.filter((rule) => JSON.stringify(rule).includes(jumps)).length;
    return [chain.name, rules.length + count];
  });
  expect(Object.fromEntries(uses)).toEqual(PORTMAP_CHAIN_USES);
});

test.each([
  ["tcp", "0.0.0.0", "10.1.0.2"],
  ["udp", "127.0.0.1", "10.1.0.2"],
  ["sctp", "::", "fd00::2"],
  ["tcp", "2001:db8::1", "fd00::2"],
] as const)("a port is read as it was written: %s on %s", (protocol, host, container) => {
  const port: PublishedPort = {
    protocol,
    hostAddress: parseAddress(host),
    hostPort: 65535,
    containerAddress: parseAddress(container),
    containerPort: 1,
  };
  expect(readPort(port.hostAddress.family, portKey(port), portTarget(port))).toEqual(port);
});

test("a port of somebody else's protocol, or target, is none of ours", () => {
  expect(readPort(4, Uint8Array.of(1, 0, 0, 0, 0, 80, 0, 0), new Uint8Array(8))).toBeNull();
  expect(readPort(4, Uint8Array.of(6, 0, 0, 0, 0, 80, 0, 0), new Uint8Array(20))).toBeNull();
});

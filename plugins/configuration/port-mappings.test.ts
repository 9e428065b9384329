import { formatAddress, parseAddress, tryParseAddress } from "../../lib/addr/address.ts";
import { readFields } from "../../lib/cni/fields.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import { EMPTY_RESULT } from "../../lib/cni/result.ts";
import { RUNTIME_CONFIG } from "../../lib/cni/sections.ts";
import { formatHostPort } from "../../lib/host/firewall/ports/holder.ts";
import { containerAddresses, HOST_BINDING, planPorts, readMappings } from "./port-mappings.ts";

const V4 = parseAddress("10.1.0.2");
const V6 = parseAddress("fd00:1::2");

/** `tcp/0.0.0.0:8080>10.1.0.2:80` for each port. */
function published(portMappings: unknown, keys: JsonObject = {}, addresses = [V4, V6]): string[] {
  const raw = { ...keys, runtimeConfig: { portMappings } } as JsonObject;
  const fields = { hostBinding: HOST_BINDING, runtimeConfig: RUNTIME_CONFIG };
  const { hostBinding, runtimeConfig } = readFields(fields, raw);
  const mappings = readMappings(runtimeConfig.portMappings, tryParseAddress(hostBinding));
  return planPorts(mappings, addresses).map(
    (port) => `${formatHostPort(port)}>${formatAddress(port.containerAddress)}:${port.containerPort}`,
  );
}

const BOTH = ["tcp/0.0.0.0:8080>10.1.0.2:80", "tcp/[::]:8080>fd00:1::2:80"];

test.each([
  ["as in CNI's conventions", { hostPort: 8080, containerPort: 80, protocol: "tcp" }, BOTH],
  ["as CRI sends it", { HostPort: 8080, ContainerPort: 80, Protocol: "TCP", HostIP: "" }, BOTH],
  ["without a protocol", { hostPort: 8080, containerPort: 80 }, BOTH],
  ["with an empty protocol", { hostPort: 8080, containerPort: 80, protocol: "" }, BOTH],
  ["on every IPv4 address", { hostPort: 8080, containerPort: 80, hostIP: "0.0.0.0" }, BOTH.slice(0, 1)],
  ["on every IPv6 address", { hostPort: 8080, containerPort: 80, hostIP: "::" }, BOTH.slice(1)],
  [
    "on one address",
    { hostPort: 8080, containerPort: 80, hostIP: "127.0.0.1", protocol: "udp" },
    ["udp/127.0.0.1:8080>10.1.0.2:80"],
  ],
  ["not at all", { hostPort: 0, containerPort: 80 }, []],
  ["as a range of one", { hostPort: 8080, containerPort: 80, range: 1 }, BOTH],
  [
    "as a range, up to the last port",
    { hostPort: 65534, containerPort: 1, range: 2, protocol: "sctp", hostIP: "0.0.0.0" },
    ["sctp/0.0.0.0:65534>10.1.0.2:1", "sctp/0.0.0.0:65535>10.1.0.2:2"],
  ],
])("a mapping %s", (_what, mapping, expected) => expect(published([mapping])).toEqual(expected));

test("mappings without an address take the network's own, and then one family", () => {
  const mappings = [
    { hostPort: 1, containerPort: 1 },
    { hostPort: 2, containerPort: 2, hostIP: "0.0.0.0" },
  ];
  expect(published(mappings, { hostBinding: "192.0.2.1" })).toEqual([
    "tcp/192.0.2.1:1>10.1.0.2:1",
    "tcp/0.0.0.0:2>10.1.0.2:2",
  ]);
});

test("of addresses that are 1 as a number only ::1 is a loopback", () => {
  const mapping = { hostPort: 8080, containerPort: 80, hostIP: "0.0.0.1" };
  expect(published([mapping])).toEqual(["tcp/0.0.0.1:8080>10.1.0.2:80"]);
});

test("an empty hostBinding is none, another text than an address is refused", () => {
  const mappings = [{ hostPort: 8080, containerPort: 80 }];
  expect(published(mappings, { hostBinding: "" })).toEqual(BOTH);
  expect(() => published(mappings, { hostBinding: "eth0" })).toThrow(
    /hostBinding: .*it is not an IP address/,
  );
});

test("a port of ::1 is refused: nothing would answer there", () => {
  expect(() => published([{ hostPort: 8080, containerPort: 80, hostIP: "::1" }])).toThrow(
    "runtimeConfig.portMappings[0].hostIP: a port of ::1 cannot lead to a container; use 127.0.0.1",
  );
  expect(() => published([{ hostPort: 8080, containerPort: 80 }], { hostBinding: "::1" })).toThrow("::1");
  expect(published([{ hostPort: 8080, containerPort: 80, hostIP: "fd00::1" }])).toHaveLength(1);
});

test("the same mapping twice is one", () => {
  const mapping = { hostPort: 8080, containerPort: 80 };
  expect(published([mapping, mapping])).toEqual(BOTH);
});

test("an attachment may publish 4096 ports, and none more", () => {
  const mapping = { hostPort: 1, containerPort: 1, range: 4096 };
  expect(published([mapping], {}, [V4])).toHaveLength(4096);
  expect(() => published([{ ...mapping, range: 4097 }], {}, [V4])).toThrow("more than 4096 ports");
});

test.each([
  ["a protocol without ports", { protocol: "icmp" }, "unsupported-field", "portMappings[1].protocol"],
  ["an address that is none", { hostIP: "localhost" }, "invalid-config", "portMappings[1].hostIP"],
  ["a range beyond the last port", { hostPort: 65535, range: 2 }, "invalid-config", "portMappings[1].range"],
  [
    "a range beyond the container's last port",
    { containerPort: 65000, range: 600 },
    "invalid-config",
    "range",
  ],
  ["a port beyond the last", { hostPort: 65536 }, "invalid-config", "portMappings[1].hostPort"],
  ["a negative port", { hostPort: -1 }, "invalid-config", "portMappings[1].hostPort"],
  ["no container port", { containerPort: 0 }, "invalid-config", "portMappings[1].containerPort"],
  ["too many ports", { hostPort: 1, containerPort: 1, range: 5000 }, "unsupported-field", "portMappings"],
  ["another target for a port", { hostPort: 9, containerPort: 80 }, "invalid-config", "portMappings"],
])("%s is refused, and the message says where", (...[_what, keys, code, object]) => {
  const mappings = [
    { hostPort: 9, containerPort: 9 },
    { hostPort: 7, containerPort: 7, ...keys },
  ];
  expect(() => published(mappings)).toThrow(
    expect.objectContaining({ code, object: expect.stringContaining(object) }),
  );
});

test.each([
  [[V4], "::", "tcp port 8080 on :: would lead nowhere: the container has no IPv6 address"],
  [[V6], "127.0.0.1", "tcp port 8080 on 127.0.0.1 would lead nowhere: the container has no IPv4 address"],
  [[], "", "tcp port 8080 would lead nowhere: the container has no address"],
])("a mapping that leads nowhere is refused", (addresses, hostIP, reason) => {
  const mapping = { hostPort: 8080, containerPort: 80, hostIP };
  expect(() => published([mapping], {}, [...addresses])).toThrow(expect.objectContaining({ reason }));
});

describe("the container's addresses", () => {
  const interfaces = [
    { name: "cni0" },
    { name: "eth0", sandbox: "/run/netns/c1" },
    { name: "eth1", sandbox: "/run/netns/c1" },
  ];
  const of = (...ips: { address: string; interface?: number }[]) =>
    containerAddresses({ ...EMPTY_RESULT, interfaces, ips }, "eth0").map(formatAddress);

  test("are those of its interface, the first of each family", () => {
    expect(
      of(
        { address: "192.0.2.1/24", interface: 0 },
        { address: "10.9.0.9/24", interface: 2 },
        { address: "fd00::2/64", interface: 1 },
        { address: "10.1.0.2/24", interface: 1 },
        { address: "10.1.0.3/24", interface: 1 },
      ),
    ).toEqual(["10.1.0.2", "fd00::2"]);
  });

  test("are all there are where the result is of a version without interfaces", () => {
    expect(of({ address: "10.1.0.2/24" })).toEqual(["10.1.0.2"]);
  });
});

import type { CachedAttachment } from "../../../lib/runtime/cache.ts";
import { readConflist } from "../../../lib/runtime/conflist.ts";
import { formatHost, formatPorts, portsObject, publishedPorts } from "./ports.ts";

const attachment = (portMappings: readonly object[], addresses: readonly string[], raw: object = {}) =>
  ({
    networkName: "web",
    containerId: "c",
    ifname: "eth0",
    netns: "/n",
    capabilityArgs: { portMappings },
    conflist: readConflist({ name: "web", plugins: [{ type: "p", ...raw }] }, "web"),
    rawResult: { cniVersion: "1.0.0", ips: addresses.map((address) => ({ address })) },
    notes: {},
    file: "",
  }) as unknown as CachedAttachment;

const mapping = (hostPort: number, containerPort: number, more: object = {}) => ({
  hostPort,
  containerPort,
  protocol: "tcp",
  ...more,
});

const V4 = ["10.1.0.2/24"];

test("ports in a row are a range, each family has its own", () => {
  const ports = publishedPorts([
    attachment([mapping(8101, 81), mapping(8100, 80), mapping(53, 53, { protocol: "udp" })], V4),
  ]);
  expect(formatPorts(ports)).toEqual(["0.0.0.0:53->53/udp", "0.0.0.0:8100-8101->80-81/tcp"]);
  const dual = publishedPorts([attachment([mapping(8100, 80)], [...V4, "fd00::2/64"])]);
  expect(formatPorts(dual)).toEqual(["0.0.0.0:8100->80/tcp", "[::]:8100->80/tcp"]);
  expect(dual.map(formatHost)).toEqual(["0.0.0.0:8100", "[::]:8100"]);
});

test("an address that was asked for stands, else the network's", () => {
  const raw = { hostBinding: "192.0.2.1" };
  expect(formatPorts(publishedPorts([attachment([mapping(1, 2)], V4, raw)]))).toEqual(["192.0.2.1:1->2/tcp"]);
  const own = mapping(1, 2, { hostIP: "127.0.0.1" });
  expect(formatPorts(publishedPorts([attachment([own], V4, raw)]))).toEqual(["127.0.0.1:1->2/tcp"]);
});

test("what is exposed only is shown without a host", () => {
  const exposed = [80, 90].map((containerPort) => ({ containerPort, protocol: "tcp" as const }));
  const ports = publishedPorts([attachment([mapping(8080, 80)], V4)]);
  expect(formatPorts(ports, exposed)).toEqual(["0.0.0.0:8080->80/tcp", "90/tcp"]);
  expect(portsObject(ports, exposed)).toEqual({
    "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }],
    "90/tcp": null,
  });
});

test("an attachment without ports has none", () => expect(publishedPorts([attachment([], V4)])).toEqual([]));

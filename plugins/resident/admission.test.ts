import { placeOf } from "../../lib/linux/processes/process-place.ts";
import type { ResidentRequest } from "../../lib/resident/frames.ts";
import { BUILD } from "../../lib/version.ts";
import { attachmentOf, reasonToDecline } from "./admission.ts";

const encode = (configuration: unknown) =>
  new TextEncoder().encode(typeof configuration === "string" ? configuration : JSON.stringify(configuration));
const ENV = { CNI_COMMAND: "ADD", CNI_CONTAINERID: "c1", CNI_IFNAME: "eth0", CNI_NETNS: "/run/netns/c1" };
const request = (configuration: unknown, more: Partial<ResidentRequest> = {}): ResidentRequest => ({
  build: BUILD,
  plugin: "fairlead-bridge",
  env: ENV,
  stdin: encode(configuration),
  ...more,
});

const PLACE = placeOf("self") ?? "";
const PEER = { pid: process.pid, uid: 0 };
const reason = (
  configuration: unknown,
  {
    peer = PEER,
    place = PLACE,
    ...more
  }: Partial<ResidentRequest> & { peer?: typeof PEER; place?: string } = {},
) => reasonToDecline(request(configuration, more), peer, place);

const OWN = { type: "fairlead-ipam" };

test.each([
  [{}],
  ["no configuration"],
  [{ ipam: {} }],
  [{ ipam: "of no kind" }],
  [{ ipam: { type: "fairlead-static" } }],
  [{ IPAM: { TYPE: "fairlead-ipam", Socket: "/run/fairlead/fairlead.sock", resolvConf: "" } }],
  [{ ipam: { ...OWN, stateDir: "/var/lib/fairlead", resolvConf: "/etc/resolv.conf" } }],
])("%j runs in a worker as in its own process", (configuration) => {
  expect(reason(configuration)).toBeNull();
  expect(reason(configuration, { env: { ...ENV, CNI_NETNS: "" } })).toBeNull();
  expect(reason(configuration, { env: { CNI_COMMAND: "STATUS" } })).toBeNull();
});

test.each([
  [{ peer: { ...PEER, uid: 1000 } }, "the client is user 1000"],
  [{ build: "another" }, "another build"],
  [{ plugin: "bridge" }, "no such plugin"],
  [{ peer: { ...PEER, pid: 0 } }, "other namespaces"],
  [{ place: "elsewhere" }, "other namespaces"],
  [{ env: { ...ENV, CNI_COMMAND: "GC" } }, "a GC must end with its client"],
  [{ env: { ...ENV, CNI_NETNS: "netns/c1" } }, "CNI_NETNS"],
  [{ env: { ...ENV, CNI_NETNS: "/proc/self/ns/net" } }, "CNI_NETNS"],
  [{ env: { ...ENV, CNI_NETNS: "/proc/thread-self/ns/net" } }, "CNI_NETNS"],
  [{ env: { ...ENV, CNI_NETNS: "/dev/fd/7" } }, "CNI_NETNS"],
])("%j does not", (more, expected) => {
  expect(reason({ ipam: OWN }, more)).toContain(expected);
});

test("a path below another process is the same for everybody", () => {
  expect(reason({}, { env: { ...ENV, CNI_NETNS: "/proc/4711/ns/net" } })).toBeNull();
});

test.each([
  [{ type: "host-local" }, "its IPAM is another plugin"],
  [{ type: 7 }, "its IPAM is another plugin"],
  [{ ...OWN, socket: "fairlead.sock" }, "ipam.socket depends on the client's process"],
  [{ ...OWN, stateDir: "./state" }, "ipam.stateDir depends"],
  [{ ...OWN, resolvConf: "/proc/self/root/etc/resolv.conf" }, "ipam.resolvConf depends"],
  [{ ...OWN, socket: 7 }, "ipam.socket depends"],
])("a configuration with ipam %j does not", (ipam, expected) => {
  expect(reason({ ipam })).toContain(expected);
});

test.each(["ADD", "DEL"])("%s is about an attachment", (CNI_COMMAND) => {
  const key = { networkName: "net", containerId: "c1", ifname: "eth0" };
  expect(attachmentOf(request({ name: "net" }, { env: { ...ENV, CNI_COMMAND } }))).toEqual(key);
  expect(attachmentOf(request({ Name: "net" }, { env: { CNI_COMMAND } }))).toEqual({
    networkName: "net",
    containerId: "",
    ifname: "",
  });
});

test("other verbs, and what the plugin is going to refuse, are about none", () => {
  expect(attachmentOf(request({ name: "net" }, { env: { ...ENV, CNI_COMMAND: "CHECK" } }))).toBeNull();
  expect(attachmentOf(request({}))).toBeNull();
  expect(attachmentOf(request({ name: 7 }))).toBeNull();
  expect(attachmentOf(request("no configuration"))).toBeNull();
});

import { readFields } from "./fields.ts";
import type { JsonObject } from "./json.ts";
import { ARGS, aliasesOn, IPAM_SECTION, RUNTIME_CONFIG, readValidAttachments } from "./sections.ts";

const TABLE = { runtimeConfig: RUNTIME_CONFIG, args: ARGS, ipam: IPAM_SECTION };

test("everything is optional", () => {
  expect(readFields(TABLE, {})).toMatchObject({
    runtimeConfig: { portMappings: [], ipRanges: [], ips: [], mac: "", aliases: [], dns: { servers: [] } },
    args: { cni: { labels: [], ips: [], mac: "" } },
    ipam: { type: "", raw: {} },
  });
});

test("reads runtimeConfig as libcni and as containerd's CRI spell it", () => {
  const small = {
    runtimeConfig: {
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "udp", hostIP: "127.0.0.1" }],
      dns: { servers: ["10.0.0.1"], searches: ["a"], options: ["b"] },
      ipRanges: [[{ subnet: "10.0.0.0/24", rangeStart: "10.0.0.9" }]],
      bandwidth: { ingressRate: 1, ingressBurst: 2, egressRate: 3, egressBurst: 4 },
    },
  };
  const capital = {
    RuntimeConfig: {
      PortMappings: [{ HostPort: 8080, ContainerPort: 80, Protocol: "udp", HostIP: "127.0.0.1" }],
      DNS: { Servers: ["10.0.0.1"], Searches: ["a"], Options: ["b"] },
      IPRanges: [[{ Subnet: "10.0.0.0/24", RangeStart: "10.0.0.9" }]],
      Bandwidth: { IngressRate: 1, IngressBurst: 2, EgressRate: 3, EgressBurst: 4 },
    },
  };
  const read = readFields(TABLE, small).runtimeConfig;
  expect(read).toMatchObject(small.runtimeConfig);
  expect(readFields(TABLE, capital).runtimeConfig).toEqual(read);
});

test("the protocol of a port mapping defaults to tcp", () => {
  const raw = { runtimeConfig: { portMappings: [{ hostPort: 1, containerPort: 2 }] } };
  expect(readFields(TABLE, raw).runtimeConfig.portMappings).toEqual([
    { hostPort: 1, containerPort: 2, protocol: "tcp", hostIP: "", range: 0 },
  ]);
});

test.each([
  [{ runtimeConfig: { portMappings: [{ hostPort: 65536, containerPort: 1 }] } }, "portMappings[0].hostPort"],
  [{ runtimeConfig: { portMappings: [{ containerPort: 0 }] } }, "portMappings[0].containerPort"],
  [{ runtimeConfig: { ips: "10.0.0.1" } }, "runtimeConfig.ips"],
  [{ runtimeConfig: { aliases: "a" } }, "an array of names, or an object of such arrays"],
  [{ args: { cni: { ips: [1] } } }, "args.cni.ips[0]"],
  [{ ipam: "host-local" }, "ipam: it is"],
  [{ ipam: { type: "../host-local" } }, "ipam.type"],
])("%j is refused: %s", (raw, words) => {
  expect(() => readFields(TABLE, raw as JsonObject)).toThrow(
    expect.objectContaining({ code: "invalid-config", message: expect.stringContaining(words) }),
  );
});

test("what args and runtimeConfig hold beyond our keys means nothing", () => {
  const raw = { args: { cni: { x: 1 }, other: [] }, runtimeConfig: { "io.example.x": {} } };
  expect(readFields(TABLE, raw)).toEqual(readFields(TABLE, {}));
});

describe("aliasesOn", () => {
  const read = (aliases: JsonObject | string[]) =>
    readFields(TABLE, { runtimeConfig: { aliases } }).runtimeConfig.aliases;

  test("a list applies everywhere", () => {
    expect(aliasesOn("net1", read(["web", "db"]))).toEqual(["web", "db"]);
  });

  test("an object applies by network", () => {
    expect(aliasesOn("net1", read({ net1: ["web"], net2: ["db"] }))).toEqual(["web"]);
    expect(aliasesOn("net3", read({ net1: ["web"] }))).toEqual([]);
    expect(aliasesOn("toString", read({}))).toEqual([]);
  });
});

test("ipam keeps the whole section", () => {
  const ipam = { type: "host-local", ranges: [[{ subnet: "10.0.0.0/24" }]] };
  expect(readFields(TABLE, { IPAM: ipam }).ipam).toEqual({ type: "host-local", raw: ipam });
});

describe("readValidAttachments", () => {
  const LIST = [{ containerID: "c1", ifname: "eth0" }];
  const READ = [{ containerId: "c1", ifname: "eth0" }];
  const NEW = "cni.dev/valid-attachments";
  const OLD = "cni.dev/attachments";

  test.each([
    [{ [NEW]: LIST }, READ],
    [{ [OLD]: LIST }, READ],
    [{ [NEW]: LIST, [OLD]: [] }, READ],
    [{ [NEW]: [], [OLD]: LIST }, []],
    [{ [NEW]: null, [OLD]: LIST }, READ],
    [{ [NEW]: [] }, []],
    [{}, null],
    [{ [NEW]: null }, null],
  ])("%j gives %j", (raw, expected) => {
    expect(readValidAttachments(raw as JsonObject)).toEqual(expected);
  });

  test.each([{ [NEW]: {} }, { [NEW]: ["c1"] }, { [OLD]: "c1" }])("%j is refused", (raw) => {
    expect(() => readValidAttachments(raw as JsonObject)).toThrow(
      expect.objectContaining({ code: "invalid-config" }),
    );
  });
});

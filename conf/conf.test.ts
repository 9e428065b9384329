import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CONFIG_KEYS as AGENT_KEYS, defaultAgentConfig, parseAgentConfig } from "../agent/base/config.ts";
import { CONFIG_KEYS, defaultConfig, parseConfig } from "../ipam-server/config.ts";
import { parsePrefix, prefixesOverlap } from "../lib/addr/prefix.ts";
import { readMacvlan } from "../plugins/main/macvlan/config.ts";
import { readPortmapConfig } from "../plugins/meta/portmap/config.ts";

function read(name: string): string {
  return readFileSync(join(__dirname, name), "utf8");
}

describe("server.yaml", () => {
  test("as it is, it means the defaults", () => {
    expect(parseConfig(read("server.yaml"), "server.yaml")).toEqual(defaultConfig());
  });

  test("with every sample line in force, it is valid and has every key", () => {
    const text = read("server.yaml").replace(/^#(?=\S| {2})/gm, "");
    const config = parseConfig(text, "server.yaml");
    expect(config.http.listen).toEqual({ host: "127.0.0.1", port: 7410 });
    expect(config.grpc.listen).toEqual({ path: "/run/fairlead/grpc.sock" });
    for (const key of Object.keys(CONFIG_KEYS)) {
      const [last = ""] = key.split(".").slice(-1);
      expect(text).toMatch(new RegExp(`^ *${last}:`, "m"));
    }
  });
});

describe("agent.yaml", () => {
  test("as it is, it means the defaults", () => {
    expect(parseAgentConfig(read("agent.yaml"), "agent.yaml")).toEqual(defaultAgentConfig());
  });

  test("with every sample line in force, it is valid and has every key", () => {
    const text = read("agent.yaml").replace(/^#(?=\S| {2})/gm, "");
    expect(parseAgentConfig(text, "agent.yaml").dns.upstreams).toEqual(["192.0.2.53"]);
    for (const key of Object.keys(AGENT_KEYS)) {
      const [last = ""] = key.split(".").slice(-1);
      expect(text).toMatch(new RegExp(`^ *${last}:`, "m"));
    }
  });
});

describe.each(["10-fairlead.conflist", "20-fairlead-ports.conflist", "30-fairlead-macvlan.conflist"])(
  "%s",
  (name) => {
    const conflist = JSON.parse(read(name));

    test("a runtime that knows only 1.0.0 takes it", () => {
      expect(conflist.cniVersion).toBe("1.0.0");
      expect(conflist.cniVersions).toContain("1.1.0");
    });

    test("its subnet lies outside the default pools", () => {
      const [[{ subnet }]] = conflist.plugins[0].ipam.ranges;
      expect(prefixesOverlap(parsePrefix(subnet), parsePrefix("10.64.0.0/13"))).toBe(false);
    });
  },
);

test("the conflist with published ports is read by the plugin that publishes them", () => {
  const { plugins } = JSON.parse(read("20-fairlead-ports.conflist"));
  expect(plugins[1]).toMatchObject({ type: "fairlead-portmap", capabilities: { portMappings: true } });
  expect(readPortmapConfig(plugins[1])).toMatchObject({ snat: true, masqAll: false, hostBinding: null });
});

test("the macvlan conflist is read by its plugin", () => {
  const { name, plugins } = JSON.parse(read("30-fairlead-macvlan.conflist"));
  expect(plugins[0].type).toBe("fairlead-macvlan");
  expect(readMacvlan({ raw: plugins[0], networkName: name }).config).toMatchObject({
    master: "eth0",
    mode: "bridge",
    mtu: undefined,
    isDefaultGateway: true,
  });
});

test("the systemd unit runs the server with the installed configuration", () => {
  const unit = read("fairlead-server.service");
  expect(unit).toContain("ExecStart=/usr/local/bin/fairlead server --config /etc/fairlead/server.yaml");
  // The just-in-time compiler needs pages that are writable and executable.
  expect(unit).not.toMatch(/^MemoryDenyWriteExecute/m);
});

test("the systemd unit runs the agent with the installed configuration, in the host's mounts", () => {
  const unit = read("fairlead-agent.service");
  expect(unit).toContain("ExecStart=/usr/local/bin/fairlead agent --config /etc/fairlead/agent.yaml");
  expect(unit).not.toMatch(/^MemoryDenyWriteExecute/m);
  // Each of these gives the service mounts of its own, in which namespaces mounted later do not appear.
  expect(unit).not.toMatch(/^(PrivateTmp|PrivateDevices|PrivateMounts|ProtectSystem|ProtectHome)/m);
});

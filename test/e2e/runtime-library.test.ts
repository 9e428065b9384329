/** `lib/runtime` with real plugins: every verb, ours at 1.1.0 and the reference's chain at 0.4.0. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Exec } from "../../lib/cni/delegate.ts";
import { execFile } from "../../lib/linux/processes/exec.ts";
import { ResultCache } from "../../lib/runtime/cache.ts";
import { type Conflist, readConflist } from "../../lib/runtime/conflist.ts";
import { NetworkRuntime } from "../../lib/runtime/network-runtime.ts";
import { processExec } from "../../lib/runtime/process-exec.ts";
import { canPing, inNetns, Lab, netnsPath } from "../support/lab/lab.ts";
import { FAIRLEAD_DIRECTORY, IpamServiceProcess, REFERENCE_DIRECTORY } from "../support/lab/lab-plugins.ts";
import { command, labEnvironment } from "../support/lab/lab-process.ts";

jest.setTimeout(60_000);

let lab: Lab;
let service: IpamServiceProcess;
let cache: ResultCache;
let runtime: NetworkRuntime;
let cacheFolder: string;

beforeAll(async () => {
  lab = await Lab.open("runlib");
  service = new IpamServiceProcess(lab);
  await service.start();
  cacheFolder = lab.folder("cache");
  cache = new ResultCache(cacheFolder);
  const pluginPath = [FAIRLEAD_DIRECTORY, REFERENCE_DIRECTORY];
  runtime = new NetworkRuntime({ pluginPath, env: labEnvironment(), exec: onHost(), cache });
});

afterAll(() => lab.close());

/** Runs plugins on the lab's host instead of ours. */
function onHost(): Exec {
  const net = `--net=${netnsPath(lab.hostNetns)}`;
  return {
    ...processExec(),
    execFile: ({ path, env, stdin }) =>
      execFile({ path: "/usr/bin/nsenter", args: [net, "--", path], env, stdin }),
  };
}

const ours = (): Conflist =>
  readConflist(
    {
      cniVersion: "1.0.0",
      cniVersions: ["1.1.0"],
      name: "ours",
      plugins: [
        {
          type: "fairlead-bridge",
          bridge: "flrl0",
          isGateway: true,
          capabilities: { ips: true },
          ipam: {
            type: "fairlead-ipam",
            socket: service.socket,
            stateDir: join(lab.directory, "node"),
            ranges: [[{ subnet: "10.96.0.0/24" }]],
          },
        },
      ],
    },
    "ours",
  );

const reference = (): Conflist =>
  readConflist(
    {
      cniVersion: "0.4.0",
      name: "theirs",
      plugins: [
        {
          type: "bridge",
          bridge: "flrl1",
          isGateway: true,
          ipam: {
            type: "host-local",
            dataDir: join(lab.directory, "host-local"),
            ranges: [[{ subnet: "10.97.0.0/24" }]],
          },
        },
        { type: "tuning", sysctl: { "net.ipv4.conf.eth0.arp_notify": "1" } },
      ],
    },
    "theirs",
  );

test.each([
  ["ours", ours],
  ["the reference's chain", reference],
])("%s: ADD, CHECK, CHECK of what was spoilt, DEL, DEL again", async (name, conflistOf) => {
  const conflist = conflistOf();
  const netns = await lab.addContainer(conflist.name);
  const attachment = { containerId: `c-${conflist.name}`, ifname: "eth0", netns };
  const { result } = runtime.add(conflist, attachment);
  const [address = ""] = result.ips.map((ip) => ip.address);
  expect([name, address]).toEqual([name, expect.stringMatching(/^10\.9[67]\.0\.2\/24$/)]);
  expect(await canPing(netns, address.replace(/2\/24$/, "1"))).toBe(true);
  runtime.check(conflist, attachment);
  await command(inNetns(netns, "ip", "addr", "del", address, "dev", "eth0"));
  expect(() => runtime.check(conflist, attachment)).toThrow();
  runtime.del(conflist, attachment);
  runtime.del(conflist, { ...attachment, netns: "" });
  expect(readdirSync(join(cacheFolder, "results"))).toEqual([]);
  expect(await command(inNetns(netns, "ip", "-br", "link"))).not.toContain("eth0");
});

test("an ADD that fails half-way leaves nothing in kernel, IPAM and cache", async () => {
  const conflist = ours();
  const broken = readConflist(
    { ...conflist.raw, plugins: [...conflist.plugins.map(({ raw }) => raw), { type: "nosuch" }] },
    "broken",
  );
  const netns = await lab.addContainer("broken");
  const add = () => runtime.add(broken, { containerId: "c-broken", ifname: "eth0", netns });
  expect(add).toThrow("find plugin nosuch");
  expect(readdirSync(join(cacheFolder, "results"))).toEqual([]);
  expect(await command(inNetns(netns, "ip", "-br", "link"))).not.toContain("eth0");
});

test("an address that is taken is the plugin's own error, with its code", async () => {
  const conflist = ours();
  const netns = await lab.addContainer("taken");
  const capabilityArgs = { ips: ["10.96.0.40"] };
  runtime.add(conflist, { containerId: "holder", ifname: "eth0", netns, capabilityArgs });
  const second = () =>
    runtime.add(conflist, { containerId: "second", ifname: "eth1", netns, capabilityArgs });
  expect(second).toThrow(expect.objectContaining({ answer: expect.objectContaining({ code: 102 }) }));
  runtime.del(conflist, { containerId: "holder", ifname: "eth0", netns });
});

test("STATUS while the service is there, VERSION, GC of all but one", async () => {
  const conflist = ours();
  runtime.status(conflist);
  expect(runtime.version(conflist, "fairlead-bridge")).toContain("1.1.0");
  const netns = await lab.addContainer("collected");
  const attach = (ifname: string) => runtime.add(conflist, { containerId: "c-gc", ifname, netns });
  attach("eth0");
  attach("eth1");
  expect(await service.boundAddresses("ours")).toHaveLength(2);
  runtime.gc(conflist, [{ containerId: "c-gc", ifname: "eth1" }]);
  expect(cache.list("c-gc").map(({ ifname }) => ifname)).toEqual(["eth1"]);
  expect(await service.boundAddresses("ours")).toHaveLength(1);
  runtime.gc(conflist, []);
  expect([await service.boundAddresses("ours"), readdirSync(join(cacheFolder, "results"))]).toEqual([[], []]);
});

/** The loopback plugin against the kernel, in process: the packaged one is in test/conformance. */
import { execFileSync } from "node:child_process";
import type { PluginIo } from "../../lib/cni/run-plugin.ts";
import { pluginIo } from "../../plugins/io.ts";
import { main } from "../../plugins/main/loopback/main.ts";

const name = `fl-lo-${process.pid}`;
const path = `/run/netns/${name}`;
const ip = (...argv: string[]) => execFileSync("ip", ["-n", name, ...argv], { encoding: "utf8" });
const isUp = () => /<[^>]*\bUP\b/.test(ip("link", "show", "lo"));

beforeEach(() => execFileSync("ip", ["netns", "add", name]));
afterEach(() => execFileSync("ip", ["netns", "del", name]));

function call(verb: string, keys: object = {}, netns = path) {
  const out: string[] = [];
  const { identifyNetns } = pluginIo();
  const io: PluginIo = {
    env: { CNI_COMMAND: verb, CNI_CONTAINERID: "c1", CNI_NETNS: netns, CNI_IFNAME: "eth7" },
    readStdin: () => new TextEncoder().encode(JSON.stringify({ cniVersion: "1.1.0", name: "n", ...keys })),
    writeStdout: (bytes) => out.push(new TextDecoder().decode(bytes)),
    writeStderr: () => {},
    identifyNetns,
  };
  const status = main(io);
  const stdout = out.join("");
  return { status, answer: stdout === "" ? null : (JSON.parse(stdout) as Record<string, unknown>) };
}

test("ADD, CHECK, DEL, DEL", () => {
  expect(isUp()).toBe(false);
  const { status, answer } = call("ADD");
  expect(status).toBe(0);
  expect(answer).toEqual({
    cniVersion: "1.1.0",
    interfaces: [{ name: "lo", mac: "00:00:00:00:00:00", mtu: 65536, sandbox: path }],
    ips: [
      { address: "127.0.0.1/8", interface: 0 },
      { address: "::1/128", interface: 0 },
    ],
  });
  expect(isUp()).toBe(true);
  expect(call("CHECK", { prevResult: answer })).toEqual({ status: 0, answer: null });
  expect(call("DEL")).toEqual({ status: 0, answer: null });
  expect(isUp()).toBe(false);
  expect(call("DEL")).toEqual({ status: 0, answer: null });
  expect(call("CHECK", { prevResult: answer })).toMatchObject({ status: 1, answer: { code: 105 } });
});

test("another address on lo is an error, and lo stays down", () => {
  ip("addr", "add", "10.1.2.3/32", "dev", "lo");
  expect(call("ADD")).toMatchObject({ status: 1, answer: { code: 2 } });
  expect(isUp()).toBe(false);
});

test("DEL without a netns", () => {
  expect(call("DEL", {}, "/run/netns/no-such")).toEqual({ status: 0, answer: null });
});

test("ADD into our own netns, a file, and nothing is code 8", () => {
  for (const netns of ["/proc/thread-self/ns/net", __filename, "/run/netns/no-such"]) {
    expect(call("ADD", {}, netns)).toMatchObject({ status: 1, answer: { code: 8 } });
  }
});

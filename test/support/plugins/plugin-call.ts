/** A plugin that is called without a runtime and without a kernel: what surrounds it is the test's. */

import type { JsonObject } from "../../../lib/cni/json.ts";
import type { PluginHandlers } from "../../../lib/cni/request.ts";
import { EMPTY_RESULT, type Result } from "../../../lib/cni/result.ts";
import { type NetnsIdentity, type Plugin, type PluginIo, runPlugin } from "../../../lib/cni/run-plugin.ts";
import { CNI_VERSIONS } from "../../../lib/cni/versions.ts";
import { FairleadError } from "../../../lib/errors.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const NETNS = "/run/netns/c1";
export const RESULT: Result = { ...EMPTY_RESULT, ips: [{ address: "10.0.0.2/24" }] };
export const CONFIG = { cniVersion: "1.1.0", name: "net1", type: "test" };

interface Run {
  readonly verb?: string;
  readonly env?: Record<string, string>;
  readonly stdin?: string | JsonObject;
  readonly netns?: NetnsIdentity | "a file" | "not to be read";
  readonly handlers?: Partial<PluginHandlers>;
  readonly argKeys?: readonly string[];
  readonly writeStdout?: PluginIo["writeStdout"];
  readonly readStdin?: PluginIo["readStdin"];
  readonly deliver?: PluginIo["deliver"];
  readonly inOrder?: PluginIo["inOrder"];
}

/** Runs a plugin of which a test says what it finds and how it answers; tells what became of it. */
export function run(setup: Run) {
  const out: string[] = [];
  const err: string[] = [];
  const calls: { verb: string; request: Record<string, unknown> }[] = [];
  const record =
    <T>(verb: string, answer: T) =>
    (request: unknown): T => {
      calls.push({ verb, request: request as Record<string, unknown> });
      return answer;
    };
  const stdin = setup.stdin ?? CONFIG;
  const io: PluginIo = {
    env: {
      ...(setup.verb !== undefined && { CNI_COMMAND: setup.verb }),
      CNI_CONTAINERID: "c1",
      CNI_NETNS: NETNS,
      CNI_IFNAME: "eth0",
      CNI_PATH: "/opt/cni/bin",
      ...setup.env,
    },
    readStdin:
      setup.readStdin ?? (() => encoder.encode(typeof stdin === "string" ? stdin : JSON.stringify(stdin))),
    writeStdout: setup.writeStdout ?? ((bytes) => out.push(decoder.decode(bytes))),
    writeStderr: (bytes) => err.push(decoder.decode(bytes)),
    ...(setup.deliver && { deliver: setup.deliver }),
    ...(setup.inOrder && { inOrder: setup.inOrder }),
    identifyNetns: (path) => {
      if (setup.netns === "not to be read")
        throw new FairleadError({ code: "io-failure", operation: "open", object: path, reason: "EIO" });
      if (setup.netns !== "a file") return setup.netns ?? "other";
      const reason = "it is a regular file";
      throw new FairleadError({ code: "invalid-netns", operation: "open", object: path, reason });
    },
  };
  const plugin: Plugin = {
    name: "fairlead-test",
    version: "1.2.3",
    supportedVersions: CNI_VERSIONS,
    ...(setup.argKeys && { argKeys: setup.argKeys }),
    handlers: {
      add: record("add", RESULT),
      del: record("del", undefined),
      check: record("check", undefined),
      gc: record("gc", undefined),
      status: record("status", undefined),
      ...setup.handlers,
    },
    io,
  };
  const status = runPlugin(plugin);
  const stdout = out.join("");
  return { status, stdout, stderr: err.join(""), calls, answer: () => JSON.parse(stdout) as JsonObject };
}

export function expectError(done: ReturnType<typeof run>, code: number, words: string): void {
  expect(done.answer()).toMatchObject({ code, msg: expect.stringContaining(words) });
  expect(done.status).toBe(1);
}

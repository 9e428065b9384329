import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Exec } from "../../lib/cni/delegate.ts";
import type { JsonObject } from "../../lib/cni/json.ts";
import type { AttachmentRequest, GcRequest } from "../../lib/cni/request.ts";
import { EMPTY_RESULT, type Result } from "../../lib/cni/result.ts";
import type { beginExchange } from "../../lib/linux/sockets/stream-socket.ts";
import {
  away,
  done,
  lost,
  refused,
  released,
  type ScriptedAnswer,
  useScriptedIpam,
} from "../../test/support/plugins/scripted-ipam.ts";
import { collectAddresses, collectFromService, releaseAddresses } from "./ipam-removal.ts";

const mockScene = useScriptedIpam();
jest.mock("../../lib/linux/sockets/stream-socket.ts", () => ({
  beginExchange: (...asked: Parameters<typeof beginExchange>) => mockScene.service.begin(...asked),
}));

const NETWORK = "ipam-removal-test";
const key = { networkName: NETWORK, containerId: "c1", ifname: "eth0" };
const SERVED = done({ leases: [{ networkName: NETWORK, ifname: "eth0" }] });
const NOT_SERVED = done({ leases: [] });

/** A service of ours is, or was, on this machine. */
const beInUse = () => mkdirSync(mockScene.stateDir);

/** A lease that host-local has left; whether it is there. */
function leave(address: string, text: string): () => boolean {
  const directory = join(mockScene.directory, "networks", NETWORK);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, address), text);
  return () => existsSync(join(directory, address));
}

/** A delegate that is there, and its verbs. */
function delegate(status = 0, isThere = true) {
  const verbs: string[] = [];
  const exec: Exec = {
    isRegularFile: () => isThere,
    execFile: ({ path, env }) => {
      verbs.push(`${path} ${env["CNI_COMMAND"]}`);
      return { status, signal: null, stdout: new Uint8Array() };
    },
    sleepMs: () => undefined,
  };
  return { verbs, exec };
}

function requestOf(ipam: JsonObject, more: object = {}): AttachmentRequest & GcRequest {
  const config = { raw: { ipam: mockScene.section(ipam) }, networkName: NETWORK, stdin: new Uint8Array() };
  const environment = { path: ["/bin"] };
  const log = (line: string) => mockScene.log.push(line);
  return { config, environment, env: {}, key, prevResult: null, log, ...more } as never;
}

const LAYER_3: Result = { ...EMPTY_RESULT, ips: [{ address: "10.1.0.2/24" }] };

describe("DEL of a network of the service", () => {
  test("releases what the attachment holds, and takes host-local's files of it away", () => {
    const [own, other] = [leave("10.1.0.2", "c1\r\neth0"), leave("10.1.0.3", "c2\r\neth0")];
    mockScene.service.answers(released("10.1.0.2"));
    releaseAddresses(requestOf({ timeoutSeconds: 7 }), delegate().exec);
    expect(mockScene.service.asked).toEqual([["attachments/release", { key, attempt: expect.any(String) }]]);
    expect(mockScene.service.limits).toEqual([[join(mockScene.directory, "socket"), 7000]]);
    expect([own(), other()]).toEqual([false, true]);
  });

  test("that fails leaves host-local's files, by which it is found again", () => {
    const own = leave("10.1.0.2", "c1\r\neth0");
    mockScene.service.answers(refused("permission-denied"));
    expect(() => releaseAddresses(requestOf({}), delegate().exec)).toThrow(
      expect.objectContaining({ code: "permission-denied" }),
    );
    expect(own()).toBe(true);
  });

  test("goes by what can be read of ipam", () => {
    mockScene.service.answers(released());
    releaseAddresses(requestOf({ timeoutSeconds: "long", ranges: 7 }), delegate().exec);
    expect(mockScene.service.limits).toEqual([[join(mockScene.directory, "socket"), 10_000]]);
    expect(mockScene.log).toEqual([expect.stringContaining("ipam.timeoutSeconds")]);
  });
});

describe("DEL of a network of another IPAM", () => {
  const del = (exec: Exec, more: object = {}, type = "some-ipam") =>
    releaseAddresses(requestOf({ type }, more), exec);

  test("is the delegate's, and the service is not asked where none is in use", () => {
    const { verbs, exec } = delegate();
    del(exec);
    expect(verbs).toEqual(["/bin/some-ipam DEL"]);
    expect(mockScene.service.asked).toEqual([]);
  });

  test("is the service's, too, which may have given the addresses before; it is waited for two seconds", () => {
    beInUse();
    const { verbs, exec } = delegate();
    mockScene.service.answers(released());
    del(exec, { prevResult: LAYER_3 });
    expect(mockScene.service.whats).toEqual(["attachments/release"]);
    expect(mockScene.service.limits).toEqual([[expect.any(String), 2000]]);
    expect(verbs).toEqual(["/bin/some-ipam DEL"]);
  });

  test("that the result says has no addresses asks no service", () => {
    beInUse();
    const { verbs, exec } = delegate();
    del(exec, { prevResult: EMPTY_RESULT });
    expect(mockScene.service.asked).toEqual([]);
    expect(verbs).toEqual(["/bin/some-ipam DEL"]);
  });

  test("does without a service that has troubles", () => {
    beInUse();
    const { verbs, exec } = delegate();
    mockScene.service.answers(refused("permission-denied"));
    del(exec);
    expect(verbs).toEqual(["/bin/some-ipam DEL"]);
    expect(mockScene.log).toEqual([expect.stringContaining("going on without the IPAM service")]);
  });

  test.each<[string, ScriptedAnswer[]]>([
    ["has just released the addresses", [released("10.1.0.2")]],
    ["gave them before", [released(), SERVED]],
  ])("goes on without a delegate when the service %s", (_what, answers) => {
    beInUse();
    mockScene.service.answers(...answers);
    del(delegate(0, false).exec);
    expect(mockScene.service.asked).toHaveLength(answers.length);
    expect(mockScene.log).toEqual([expect.stringContaining("going on without some-ipam")]);
  });

  test.each<[ScriptedAnswer[]]>([
    [[released(), NOT_SERVED]],
    [[released(), away]],
    [[away, lost("timeout")]],
  ])("fails with its delegate when nobody knows that the addresses were the service's", (answers) => {
    beInUse();
    mockScene.service.answers(...answers);
    expect(() => del(delegate(1).exec)).toThrow(expect.objectContaining({ object: "some-ipam" }));
    expect(mockScene.service.asked).toHaveLength(answers.length);
  });

  test.each(["", "fairlead-static", "bridge", "fairlead-macvlan"])(
    "with nobody to delegate to (%j) takes host-local's files away",
    (type) => {
      beInUse();
      const [own, other] = [leave("10.1.0.2", "c1"), leave("10.1.0.3", "c1\r\neth1")];
      const { verbs, exec } = delegate();
      mockScene.service.answers(released());
      del(exec, {}, type);
      expect([own(), other()]).toEqual([false, true]);
      expect(verbs).toEqual([]);
    },
  );
});

describe("GC", () => {
  const VALID = { validAttachments: [{ containerId: "c1", ifname: "eth0" }] };
  const stale = { networkName: NETWORK, containerId: "old", ifname: "eth0" };

  test("of a network of the service releases what nobody has, with host-local's files", () => {
    const [own, other] = [leave("10.1.0.2", "c1\r\neth0"), leave("10.1.0.3", "old\r\neth0")];
    mockScene.service.answers(done({ released: [stale] }));
    collectAddresses(requestOf({}, VALID), delegate().exec, [stale]);
    expect(mockScene.service.asked).toEqual([["attachments/gc", { networkName: NETWORK, ...VALID }]]);
    expect(mockScene.service.limits).toEqual([[expect.any(String), 10_000]]);
    expect([own(), other()]).toEqual([true, false]);
    expect(mockScene.log).toEqual([expect.stringContaining("released the addresses of old (eth0)")]);
  });

  test("of an IPAM plugin is the same", () => {
    mockScene.service.answers(done({ released: [] }));
    collectFromService(requestOf({}, VALID));
    expect(mockScene.service.whats).toEqual(["attachments/gc"]);
    expect(mockScene.log).toEqual([]);
  });

  test("of another IPAM is the delegate's; the service releases what had links, and its troubles are not ours", () => {
    beInUse();
    const { verbs, exec } = delegate();
    mockScene.service.answers(refused("permission-denied"), released("10.1.0.3"));
    const second = { ...stale, containerId: "older" };
    collectAddresses(requestOf({ type: "some-ipam" }, VALID), exec, [stale, second]);
    expect(mockScene.service.asked.map(([what, body]) => [what, (body as { key: unknown }).key])).toEqual([
      ["attachments/release", stale],
      ["attachments/release", second],
    ]);
    expect(mockScene.service.limits[0]?.[1]).toBe(2000);
    expect(verbs).toEqual(["/bin/some-ipam GC"]);
  });

  test.each(["", "fairlead-static", "portmap"])("with ipam of type %j asks nobody", (type) => {
    const { verbs, exec } = delegate();
    collectAddresses(requestOf({ type }, VALID), exec, [stale]);
    expect([mockScene.service.asked, verbs]).toEqual([[], []]);
  });
});

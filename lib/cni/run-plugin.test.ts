import { FairleadError } from "../errors.ts";
import type { JsonObject } from "./json.ts";
import { MAX_JSON_BYTES } from "./json.ts";
import type { AddRequest, PluginHandlers } from "./request.ts";
import { EMPTY_RESULT, type Result } from "./result.ts";
import { type NetnsIdentity, type Plugin, type PluginIo, runPlugin } from "./run-plugin.ts";
import { CNI_VERSIONS } from "./versions.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NETNS = "/run/netns/c1";
const RESULT: Result = { ...EMPTY_RESULT, ips: [{ address: "10.0.0.2/24" }] };
const CONFIG = { cniVersion: "1.1.0", name: "net1", type: "test" };

interface Run {
  readonly verb?: string;
  readonly env?: Record<string, string>;
  readonly stdin?: string | JsonObject;
  readonly netns?: NetnsIdentity | "a file";
  readonly handlers?: Partial<PluginHandlers>;
  readonly argKeys?: readonly string[];
  readonly writeStdout?: PluginIo["writeStdout"];
  readonly readStdin?: PluginIo["readStdin"];
  readonly deliver?: PluginIo["deliver"];
  readonly inOrder?: PluginIo["inOrder"];
}

function run(setup: Run) {
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

function expectError(done: ReturnType<typeof run>, code: number, words: string): void {
  expect(done.answer()).toMatchObject({ code, msg: expect.stringContaining(words) });
  expect(done.status).toBe(1);
}

describe("without a command", () => {
  test("usage on stderr, exit 0, stdin untouched", () => {
    const done = run({
      readStdin: () => {
        throw new Error("stdin was read");
      },
    });
    expect(done).toMatchObject({ status: 0, stdout: "" });
    expect(done.stderr).toContain("CNI fairlead-test plugin 1.2.3\n");
    expect(done.stderr).toContain(
      "CNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n",
    );
  });
});

describe("VERSION", () => {
  test.each([
    ["", "1.1.0"],
    ["nonsense", "1.1.0"],
    ["{}", "1.1.0"],
    [`{"cniVersion":"0.3.1"}`, "0.3.1"],
    [`{"cniVersion":"9.9.9"}`, "9.9.9"],
  ])("with %j on stdin answers in %s", (stdin, cniVersion) => {
    const done = run({ verb: "VERSION", stdin });
    expect(done.answer()).toEqual({ cniVersion, supportedVersions: [...CNI_VERSIONS] });
    expect(done.status).toBe(0);
  });
});

describe("order of the checks", () => {
  const wrong = {
    verb: "ADD",
    stdin: { name: "", cniVersion: "9.9.9" },
    netns: "own",
    env: { CNI_CONTAINERID: "-" },
  } as const;

  test("environment before stdin", () => {
    const readStdin = () => {
      throw new Error("stdin was read");
    };
    expectError(run({ ...wrong, readStdin }), 4, "invalid characters in containerID");
  });

  test("stdin before JSON", () => {
    const readStdin = () => {
      throw new FairleadError({ code: "io-failure", operation: "read stdin", reason: "EIO" });
    };
    expectError(run({ ...wrong, env: {}, readStdin }), 5, "EIO");
  });

  test("JSON before the name", () => {
    expectError(run({ ...wrong, env: {}, stdin: "{" }), 6, "not JSON");
  });

  test("the name before the version", () => {
    expectError(run({ ...wrong, env: {} }), 7, "missing network name");
  });

  test("the version before the netns", () => {
    expectError(
      run({ ...wrong, env: {}, stdin: { name: "n", cniVersion: "9.9.9" } }),
      1,
      "incompatible CNI versions",
    );
  });

  test("the netns before acting", () => {
    const done = run({ ...wrong, env: {}, stdin: CONFIG });
    expectError(done, 8, "should not be the same");
    expect(done.calls).toEqual([]);
  });
});

test("stdin is read up to the limit", () => {
  const limits: number[] = [];
  run({
    verb: "ADD",
    readStdin: (limit) => {
      limits.push(limit);
      return encoder.encode("{}");
    },
  });
  expect(limits).toEqual([MAX_JSON_BYTES]);
});

describe("verbs and versions", () => {
  test.each(
    CNI_VERSIONS.flatMap((version) => ["CHECK", "GC", "STATUS"].map((verb) => [verb, version] as const)),
  )("%s at %s", (verb, version) => {
    const stdin = { ...CONFIG, cniVersion: version, prevResult: {}, "cni.dev/valid-attachments": [] };
    const done = run({ verb, stdin });
    const allowed = verb === "CHECK" ? version >= "0.4.0" : version === "1.1.0";
    if (allowed) expect(done).toMatchObject({ status: 0, stdout: "", calls: [{ verb: verb.toLowerCase() }] });
    else expectError(done, 1, `config version does not allow ${verb}`);
  });

  test.each(CNI_VERSIONS)("ADD and DEL at %s", (version) => {
    const stdin = { ...CONFIG, cniVersion: version };
    expect(run({ verb: "ADD", stdin }).answer()["cniVersion"]).toBe(version);
    expect(run({ verb: "DEL", stdin })).toMatchObject({ status: 0, stdout: "" });
  });

  test("without a version the answer is in 0.1.0", () => {
    expect(run({ verb: "ADD", stdin: { name: "n" } }).answer()).toEqual({
      cniVersion: "0.1.0",
      ip4: { ip: "10.0.0.2/24" },
      dns: {},
    });
  });
});

describe("ADD", () => {
  test("hands the attachment to the handler", () => {
    const stdin = { ...CONFIG, prevResult: { cniVersion: "1.1.0", ips: [{ address: "10.9.0.1/24" }] } };
    const done = run({
      verb: "ADD",
      stdin,
      env: { CNI_ARGS: "MAC=a;IgnoreUnknown=1;X=y" },
      argKeys: ["MAC"],
    });
    const [call] = done.calls;
    expect(call?.request).toMatchObject({
      key: { networkName: "net1", containerId: "c1", ifname: "eth0" },
      netns: NETNS,
      args: new Map([["MAC", "a"]]),
      prevResult: { ips: [{ address: "10.9.0.1/24" }] },
      config: { cniVersion: "1.1.0", stdin: encoder.encode(JSON.stringify(stdin)) },
      environment: { path: ["/opt/cni/bin"] },
    });
    expect(done).toMatchObject({ status: 0, stderr: "" });
  });

  test.each([
    ["absent", "it does not exist"],
    ["a file", "it is a regular file"],
    ["own", "should not be the same"],
  ] as const)("a netns that is %s is code 8", (netns, words) => {
    const done = run({ verb: "ADD", netns });
    expectError(done, 8, words);
    expect(done.calls).toEqual([]);
  });

  test("our own netns is fine when the runtime says so", () => {
    expect(run({ verb: "ADD", netns: "own", env: { CNI_NETNS_OVERRIDE: "1" } }).status).toBe(0);
  });

  test("CNI_ARGS mean nothing to a plugin that names no keys", () => {
    expect(run({ verb: "ADD", env: { CNI_ARGS: "a;b" } }).status).toBe(0);
  });

  test("unknown CNI_ARGS are refused before acting", () => {
    const done = run({ verb: "ADD", env: { CNI_ARGS: "X=y" }, argKeys: [] });
    expectError(done, 4, "unknown args");
    expect(done.calls).toEqual([]);
  });

  test("a broken prevResult is refused before acting", () => {
    const done = run({ verb: "ADD", stdin: { ...CONFIG, prevResult: { ips: 7 } } });
    expectError(done, 7, "read prevResult ips");
    expect(done.calls).toEqual([]);
  });

  /** A handler that notes what it made, and takes that back. */
  const made = (done: string[], result = RESULT) => ({
    add: ({ undo, atEnd }: AddRequest) => {
      atEnd(() => done.push("closed"));
      undo.push("delete link", () => done.push("deleted"));
      return result;
    },
  });

  test("a result that the version cannot hold takes back what was made, and that only: there is no DEL", () => {
    const steps: string[] = [];
    const done = run({
      verb: "ADD",
      stdin: { ...CONFIG, cniVersion: "0.2.0" },
      handlers: made(steps, EMPTY_RESULT),
    });
    expectError(done, 7, "cannot convert: no valid IP addresses");
    expect([steps, done.calls]).toEqual([["deleted", "closed"], []]);
  });

  test.each(["writeStdout", "deliver"] as const)("so does one that %s gets rid of to nobody", (way) => {
    const steps: string[] = [];
    const refuse = (): never => {
      throw new FairleadError({ code: "io-failure", operation: "write stdout", reason: "EPIPE" });
    };
    const done = run({ verb: "ADD", [way]: refuse, handlers: made(steps) });
    expect(done.status).toBe(1);
    expect(steps).toEqual(["deleted", "closed"]);
    expect(way === "deliver" ? done.stdout : done.stderr).toContain("EPIPE");
  });

  test("what was told stays", () => {
    const steps: string[] = [];
    expect(run({ verb: "ADD", handlers: made(steps) }).status).toBe(0);
    expect(steps).toEqual(["closed"]);
  });

  test("the error of ADD is told although taking back fails too", () => {
    const add = ({ undo }: AddRequest): Result => {
      undo.push("delete link", () => {
        throw new Error("no way back");
      });
      return EMPTY_RESULT;
    };
    const done = run({ verb: "ADD", stdin: { ...CONFIG, cniVersion: "0.2.0" }, handlers: { add } });
    expectError(done, 7, "cannot convert");
    expect(done.stderr).toContain("undo: delete link: no way back");
  });

  test("ADD and DEL run in their turn, and fail when that does not come; other verbs need none", () => {
    const keys: string[] = [];
    const inOrder: PluginIo["inOrder"] = (key) => {
      keys.push(`${key.networkName} ${key.containerId} ${key.ifname}`);
      throw new FairleadError({ code: "timeout", operation: "wait for", reason: "process 7 works on it" });
    };
    for (const verb of ["ADD", "DEL"]) {
      const done = run({ verb, inOrder });
      expectError(done, 11, "process 7 works on it");
      expect(done.calls).toEqual([]);
    }
    expect(run({ verb: "STATUS", inOrder }).status).toBe(0);
    expect(keys).toEqual(["net1 c1 eth0", "net1 c1 eth0"]);
  });

  test("an error of the handler is not followed by DEL: handlers undo their own", () => {
    const done = run({
      verb: "ADD",
      handlers: {
        add: () => {
          throw new FairleadError({ code: "pool-exhausted", operation: "acquire", reason: "all taken" });
        },
      },
    });
    expectError(done, 11, "acquire: all taken");
    expect(done.answer()["cniVersion"]).toBe("1.1.0");
    expect(done.calls).toEqual([]);
  });

  test("a fault of ours is code 999, as JSON", () => {
    const add = () => {
      throw new TypeError("x is not a function");
    };
    expectError(run({ verb: "ADD", handlers: { add } }), 999, "x is not a function");
  });
});

describe("DEL", () => {
  test.each([
    ["other", NETNS],
    ["absent", null],
    ["a file", null],
  ] as const)("with a netns that is %s gets %s", (kind, netns) => {
    const done = run({ verb: "DEL", netns: kind });
    expect(done).toMatchObject({ status: 0, stdout: "", calls: [{ verb: "del", request: { netns } }] });
  });

  test("says why it takes a netns for gone", () => {
    const done = run({ verb: "DEL", netns: "a file" });
    expect(done.stderr).toContain(
      `taking the container's netns for gone: open ${NETNS}: it is a regular file`,
    );
    expect(run({ verb: "DEL", netns: "absent" }).stderr).toBe("");
  });

  test("without a netns", () => {
    const done = run({ verb: "DEL", env: { CNI_NETNS: "" }, netns: "own" });
    expect(done).toMatchObject({ status: 0, calls: [{ request: { netns: null } }] });
  });

  test("never in our own netns", () => {
    const done = run({ verb: "DEL", netns: "own" });
    expectError(done, 8, "should not be the same");
    expect(done.calls).toEqual([]);
  });

  test("goes on without a prevResult that nobody can read, and says so", () => {
    const done = run({ verb: "DEL", stdin: { ...CONFIG, prevResult: { ips: 7 } } });
    expect(done).toMatchObject({ status: 0, calls: [{ request: { prevResult: null } }] });
    expect(done.stderr).toContain("going on without prevResult");
  });
});

describe("CHECK", () => {
  test("needs prevResult", () => {
    expectError(run({ verb: "CHECK" }), 7, "Required prevResult missing");
  });

  test("needs a netns", () => {
    expectError(
      run({ verb: "CHECK", netns: "absent", stdin: { ...CONFIG, prevResult: {} } }),
      8,
      "not exist",
    );
  });
});

describe("GC", () => {
  const LIST = [{ containerID: "c1", ifname: "eth0" }];

  test.each(["cni.dev/valid-attachments", "cni.dev/attachments"])("takes %s", (key) => {
    const done = run({ verb: "GC", stdin: { ...CONFIG, [key]: LIST } });
    const validAttachments = [{ containerId: "c1", ifname: "eth0" }];
    expect(done).toMatchObject({ status: 0, calls: [{ request: { validAttachments } }] });
  });

  test("an empty list is handed on", () => {
    const done = run({ verb: "GC", stdin: { ...CONFIG, "cni.dev/valid-attachments": [] } });
    expect(done.calls).toMatchObject([{ request: { validAttachments: [] } }]);
  });

  test("without a list nothing is done, and a line says so", () => {
    const done = run({ verb: "GC" });
    expect(done).toMatchObject({ status: 0, stdout: "", calls: [] });
    expect(done.stderr).toContain("nothing is removed");
  });
});

test("log lines carry the plugin's name", () => {
  const done = run({ verb: "STATUS", handlers: { status: (request) => request.log("hello") } });
  expect(done.stderr).toBe("fairlead-test: hello\n");
});

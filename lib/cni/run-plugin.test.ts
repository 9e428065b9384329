import { CONFIG, expectError, NETNS, run } from "../../test/support/plugins/plugin-call.ts";
import { FairleadError } from "../errors.ts";
import { type JsonObject, MAX_JSON_BYTES } from "./json.ts";
import { CNI_VERSIONS } from "./versions.ts";

const encoder = new TextEncoder();

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

test.each<[string, string | JsonObject, string]>([
  ["that names it and is wrong elsewhere", { cniVersion: "0.4.0", name: "" }, "0.4.0"],
  ["that names one which nobody knows", { cniVersion: "9.9.9", name: "n" }, "1.1.0"],
  ["that names none", { name: "n" }, "0.1.0"],
  ["that nobody can read", "{", "1.1.0"],
])("an error is told in the version of a configuration %s", (_what, stdin, cniVersion) => {
  const status = () => {
    throw new Error("broken");
  };
  for (const verb of ["ADD", "STATUS"]) {
    const done = run({ verb, stdin, handlers: { add: status, status } });
    expect(done).toMatchObject({ status: 1 });
    expect(done.answer()["cniVersion"]).toBe(cniVersion);
  }
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

  test("does not take a netns for gone that cannot be looked at: what is in it would stay", () => {
    const done = run({ verb: "DEL", netns: "not to be read" });
    expectError(done, 5, "EIO");
    expect(done.calls).toEqual([]);
  });

  test("in our own netns only when the runtime says so", () => {
    const done = run({ verb: "DEL", netns: "own", env: { CNI_NETNS_OVERRIDE: "1" } });
    expect(done).toMatchObject({ status: 0, calls: [{ request: { netns: NETNS } }] });
  });

  test("hands the attachment and its result to the handler", () => {
    const stdin = { ...CONFIG, prevResult: { ips: [{ address: "10.9.0.1/24" }] } };
    const done = run({ verb: "DEL", stdin, env: { CNI_ARGS: "MAC=a" }, argKeys: ["MAC"] });
    const key = { networkName: "net1", containerId: "c1", ifname: "eth0" };
    const prevResult = { ips: [{ address: "10.9.0.1/24" }] };
    expect(done.calls).toMatchObject([{ request: { key, args: new Map([["MAC", "a"]]), prevResult } }]);
    expect(done.stderr).toBe("");
  });

  test("goes on without CNI_ARGS that nobody understands, and says so", () => {
    const done = run({ verb: "DEL", env: { CNI_ARGS: "X=y" }, argKeys: ["MAC"] });
    const key = { networkName: "net1", containerId: "c1", ifname: "eth0" };
    expect(done).toMatchObject({ status: 0, calls: [{ request: { key, args: new Map() } }] });
    expect(done.stderr).toContain("going on without CNI_ARGS");
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

  test("hands the attachment and its result to the handler", () => {
    const stdin = { ...CONFIG, prevResult: { ips: [{ address: "10.9.0.1/24" }] } };
    const done = run({ verb: "CHECK", stdin, env: { CNI_ARGS: "MAC=a" }, argKeys: ["MAC"] });
    const key = { networkName: "net1", containerId: "c1", ifname: "eth0" };
    const prevResult = { ips: [{ address: "10.9.0.1/24" }] };
    const request = { key, netns: NETNS, args: new Map([["MAC", "a"]]), prevResult };
    expect(done).toMatchObject({ status: 0, stdout: "", calls: [{ request }] });
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

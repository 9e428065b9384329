import { refusalOf } from "../../test/support/failures.ts";
import { type Environment, parseCniArgs, readEnvironment } from "./environment.ts";

const ATTACHMENT = {
  CNI_COMMAND: "ADD",
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/run/netns/c1",
  CNI_IFNAME: "eth0",
};

const failure = (env: Environment) => refusalOf(() => readEnvironment(env));

describe("readEnvironment", () => {
  test("reads what ADD needs", () => {
    expect(readEnvironment({ ...ATTACHMENT, CNI_PATH: "/opt/a::/opt/b", CNI_ARGS: "A=1" })).toEqual({
      verb: "ADD",
      containerId: "c1",
      netns: "/run/netns/c1",
      ifname: "eth0",
      args: "A=1",
      path: ["/opt/a", "/opt/b"],
      netnsOverride: false,
    });
  });

  test("says that nobody gave a command", () => {
    expect(readEnvironment({})).toBeNull();
    expect(readEnvironment({ ...ATTACHMENT, CNI_COMMAND: "" })).toBeNull();
  });

  test.each(["add", "ADD ", "UPDATE", "toString"])("refuses the command %j", (command) => {
    const error = failure({ ...ATTACHMENT, CNI_COMMAND: command });
    expect(error.code).toBe("invalid-environment");
    expect(error.reason).toBe(`unknown CNI_COMMAND: ${command}`);
  });

  test.each([
    ["ADD", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME"],
    ["DEL", "CNI_CONTAINERID,CNI_IFNAME"],
    ["CHECK", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME"],
    ["GC", "CNI_PATH"],
  ])("%s names every missing variable at once", (verb, names) => {
    expect(failure({ CNI_COMMAND: verb }).reason).toBe(`required env variables [${names}] missing`);
  });

  test.each(["STATUS", "VERSION"])("%s needs nothing else", (verb) => {
    expect(readEnvironment({ CNI_COMMAND: verb })?.verb).toBe(verb);
  });

  test("DEL takes an empty netns", () => {
    expect(readEnvironment({ ...ATTACHMENT, CNI_COMMAND: "DEL", CNI_NETNS: "" })?.netns).toBe("");
  });

  test.each(["GC", "STATUS", "VERSION"])("%s ignores what other verbs would refuse", (verb) => {
    const env = { CNI_COMMAND: verb, CNI_PATH: "/p", CNI_CONTAINERID: "../x", CNI_IFNAME: "a/b" };
    expect(readEnvironment(env)?.verb).toBe(verb);
  });

  test.each(["../c1", "-c1", "c 1", "c/1", "ä", ".c1"])("refuses the container ID %j", (containerId) => {
    const error = failure({ ...ATTACHMENT, CNI_CONTAINERID: containerId });
    expect(error.object).toBe("CNI_CONTAINERID");
    expect(error.message).toContain(JSON.stringify(containerId));
  });

  test("takes the container IDs that runtimes make", () => {
    for (const id of ["0", "a".repeat(64), "web_1.x-2", "cni-5e7f"]) {
      expect(readEnvironment({ ...ATTACHMENT, CNI_CONTAINERID: id })?.containerId).toBe(id);
    }
  });

  test.each(["sixteen-bytes-xx", "äöüäöüäö", ".", "..", "a/b", "a:b", "a b", "a\tb", "eth%d"])(
    "refuses the interface name %j",
    (ifname) => {
      const error = failure({ ...ATTACHMENT, CNI_IFNAME: ifname });
      expect(error.code).toBe("invalid-environment");
      expect(error.object).toBe("CNI_IFNAME");
    },
  );

  test("takes an interface name of 15 bytes", () => {
    expect(readEnvironment({ ...ATTACHMENT, CNI_IFNAME: "fifteen-bytes-x" })?.ifname).toHaveLength(15);
  });

  test("reports a wrong value before missing ones, in table order", () => {
    const error = failure({ CNI_COMMAND: "ADD", CNI_CONTAINERID: "../x", CNI_IFNAME: "a/b" });
    expect(error.object).toBe("CNI_CONTAINERID");
  });

  test.each([
    ["1", true],
    ["TRUE", true],
    ["true", true],
    ["0", false],
    ["yes", false],
    ["", false],
  ])("CNI_NETNS_OVERRIDE=%s is %s", (value, expected) => {
    expect(readEnvironment({ ...ATTACHMENT, CNI_NETNS_OVERRIDE: value })?.netnsOverride).toBe(expected);
  });
});

describe("parseCniArgs", () => {
  test("reads pairs and keeps the last of equal keys", () => {
    expect([...parseCniArgs("MAC=a;IP=b;MAC=c", ["MAC", "IP"])]).toEqual([
      ["MAC", "c"],
      ["IP", "b"],
    ]);
  });

  test("is empty without text", () => {
    expect(parseCniArgs("", ["MAC"]).size).toBe(0);
  });

  test("refuses unknown keys", () => {
    expect(() => parseCniArgs("K8S_POD_NAME=a;MAC=b;X=c", ["MAC"])).toThrow(
      `ARGS: unknown args ["K8S_POD_NAME","X"]`,
    );
  });

  test("keys are matched in the exact case", () => {
    expect(() => parseCniArgs("mac=b", ["MAC"])).toThrow("unknown args");
  });

  test.each(["1", "true", "TRUE"])("drops unknown keys with IgnoreUnknown=%s", (value) => {
    const args = parseCniArgs(`K8S_POD_NAME=a;MAC=b;IgnoreUnknown=${value}`, ["MAC"]);
    expect([...args]).toEqual([["MAC", "b"]]);
  });

  test("refuses unknown keys with IgnoreUnknown=0", () => {
    expect(() => parseCniArgs("IgnoreUnknown=0;X=1", [])).toThrow("unknown args");
  });

  test.each(["MAC", "MAC=a=b", "=a", "MAC=a;", ";", "MAC=a;;IP=b"])("refuses %j", (text) => {
    expect(() => parseCniArgs(text, ["MAC", "IP"])).toThrow(
      expect.objectContaining({
        code: "invalid-environment",
        message: expect.stringContaining("ARGS: invalid pair"),
      }),
    );
  });

  test("takes an empty value", () => {
    expect(parseCniArgs("MAC=", ["MAC"]).get("MAC")).toBe("");
  });
});

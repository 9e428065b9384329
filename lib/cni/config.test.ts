import {
  checkPluginType,
  decodeConfig,
  namedVersion,
  readDelegateResult,
  readPrevResult,
  readRequestConfig,
} from "./config.ts";
import type { JsonObject } from "./json.ts";
import { CNI_VERSIONS } from "./versions.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const STDIN = bytes("{}");

function read(raw: JsonObject) {
  return readRequestConfig(raw, STDIN, CNI_VERSIONS);
}

describe("readRequestConfig", () => {
  test("reads the common keys and keeps the rest", () => {
    const raw = { cniVersion: "1.0.0", name: "net1", type: "fairlead-bridge", bridge: "br0" };
    expect(read(raw)).toEqual({
      cniVersion: "1.0.0",
      networkName: "net1",
      type: "fairlead-bridge",
      raw,
      stdin: STDIN,
    });
  });

  test("keeps the very bytes of stdin", () => {
    expect(read({ name: "net1" }).stdin).toBe(STDIN);
  });

  test("without a version it is 0.1.0", () => {
    expect(read({ name: "net1" }).cniVersion).toBe("0.1.0");
  });

  test.each([
    [{}, "invalid-config", "missing network name"],
    [{ name: "" }, "invalid-config", "missing network name"],
    [{ name: "../etc" }, "invalid-config", "invalid characters in network name"],
    [{ name: "a/b" }, "invalid-config", "invalid characters in network name"],
    [{ name: "-a" }, "invalid-config", "invalid characters in network name"],
    [{ name: 7 }, "invalid-config", "name: it is the number 7"],
    [{ name: "n", type: "../bridge" }, "invalid-config", "type: it is"],
    [{ name: "n", cniVersion: "9.9.9" }, "incompatible-cni-version", `config is "9.9.9"`],
    [{ name: "", cniVersion: "9.9.9" }, "invalid-config", "missing network name"],
    [{ name: "n", cniVersion: 1 }, "invalid-config", "cniVersion: it is the number 1"],
  ])("%j is %s", (raw, code, words) => {
    expect(() => read(raw as JsonObject)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) }),
    );
  });
});

describe("decodeConfig", () => {
  test("null is an empty configuration", () => {
    expect(decodeConfig(bytes("null"))).toEqual({});
  });

  test.each(["", "{", "[]", `"x"`, "7"])("%j is a decode failure", (text) => {
    expect(() => decodeConfig(bytes(text))).toThrow(expect.objectContaining({ code: "decode-failure" }));
  });
});

test("namedVersion tells what it can", () => {
  expect(namedVersion({ CNIVersion: "0.9" })).toBe("0.9");
  expect(namedVersion({ cniVersion: 1 })).toBe("");
  expect(namedVersion({})).toBe("");
});

test.each(["a/b", "/bin/sh", "../x", "..", ".", "a\0b"])("the type %j is refused", (type) => {
  expect(() => checkPluginType("ipam.type", type)).toThrow(
    expect.objectContaining({ code: "invalid-config", object: "ipam.type" }),
  );
});

test.each(["", "host-local", "fairlead-ipam", "a..b"])("the type %j is taken", (type) => {
  expect(() => checkPluginType("ipam.type", type)).not.toThrow();
});

describe("readPrevResult", () => {
  const config = (cniVersion: string, prevResult: JsonObject | null) =>
    read({ name: "n", cniVersion, prevResult });

  test("is null when absent", () => {
    expect(readPrevResult(read({ name: "n", cniVersion: "1.0.0" }))).toBeNull();
    expect(readPrevResult(config("1.0.0", null))).toBeNull();
  });

  test("an empty one is an empty result", () => {
    expect(readPrevResult(config("1.0.0", {}))).toMatchObject({ interfaces: [], ips: [] });
  });

  test("without a version it is in the configuration's", () => {
    const prevResult = { ip4: { ip: "10.0.0.2/24" } };
    expect(readPrevResult(config("0.2.0", prevResult))?.ips).toEqual([{ address: "10.0.0.2/24" }]);
  });

  test("in another version it is refused", () => {
    expect(() => readPrevResult(config("1.0.0", { cniVersion: "0.4.0" }))).toThrow(
      `it is "0.4.0", but that of the configuration is "1.0.0"`,
    );
  });

  test("what is no object is refused", () => {
    const raw = { name: "n", cniVersion: "1.0.0", prevResult: [] };
    expect(() => readPrevResult(read(raw))).toThrow("read prevResult: it is an array of 0");
  });

  test("a fault inside is named", () => {
    expect(() => readPrevResult(config("1.0.0", { ips: [{ address: "x" }] }))).toThrow(
      "read prevResult ips[0].address",
    );
  });
});

describe("readDelegateResult", () => {
  test("without a version it is in the configuration's", () => {
    const stdout = bytes(`{"ip4":{"ip":"10.0.0.2/24"}}`);
    expect(readDelegateResult(stdout, "static", "0.2.0").ips).toEqual([{ address: "10.0.0.2/24" }]);
  });

  test("converts from another version", () => {
    const stdout = bytes(`{"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.0.0.2/24"}]}`);
    expect(readDelegateResult(stdout, "static", "0.2.0").ips).toEqual([{ address: "10.0.0.2/24" }]);
  });

  test("null is an empty result", () => {
    expect(readDelegateResult(bytes("null"), "static", "1.0.0").ips).toEqual([]);
  });

  test.each(["", "oops", "[]", `{"cniVersion":"7.0.0"}`, `{"ips":[{"address":"10.0.0.2"}]}`])(
    "%j is no result",
    (text) => {
      expect(() => readDelegateResult(bytes(text), "static", "1.0.0")).toThrow(
        expect.objectContaining({
          code: "decode-failure",
          message: expect.stringContaining("read result of delegate static"),
        }),
      );
    },
  );
});

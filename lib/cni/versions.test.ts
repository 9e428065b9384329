import {
  CNI_VERSIONS,
  hasCheck,
  hasGc,
  hasInterfaceDetails,
  hasInterfaces,
  hasIpVersionField,
  hasStatus,
  requireVersion,
} from "./versions.ts";

describe("features by version", () => {
  test.each([
    ["0.1.0", "......"],
    ["0.2.0", "......"],
    ["0.3.0", "IV...."],
    ["0.3.1", "IV...."],
    ["0.4.0", "IVC..."],
    ["1.0.0", "I.CD.."],
    ["1.1.0", "I.CDGS"],
  ] as const)("%s has %s", (version, features) => {
    const letters = [
      hasInterfaces(version) ? "I" : ".",
      hasIpVersionField(version) ? "V" : ".",
      hasCheck(version) ? "C" : ".",
      hasInterfaceDetails(version) ? "D" : ".",
      hasGc(version) ? "G" : ".",
      hasStatus(version) ? "S" : ".",
    ];
    expect(letters.join("")).toBe(features);
  });
});

describe("requireVersion", () => {
  test.each(CNI_VERSIONS)("takes %s", (version) => {
    expect(requireVersion(version, CNI_VERSIONS)).toBe(version);
  });

  test("takes an absent version for 0.1.0", () => {
    expect(requireVersion("", CNI_VERSIONS)).toBe("0.1.0");
  });

  test.each(["0.3.2", "1.0", "1.2.0", "2.0.0", " 1.0.0", "toString"])("refuses %j", (version) => {
    expect(() => requireVersion(version, CNI_VERSIONS)).toThrow(
      expect.objectContaining({
        code: "incompatible-cni-version",
        message: expect.stringContaining(
          `incompatible CNI versions; config is "${version}", plugin supports ["0.1.0" `,
        ),
      }),
    );
  });

  test("refuses a version that this plugin does not list, though we know it", () => {
    expect(() => requireVersion("0.2.0", ["1.0.0"])).toThrow(`plugin supports ["1.0.0"]`);
  });

  test("refuses 0.1.0 under its empty name too", () => {
    expect(() => requireVersion("", ["1.0.0"])).toThrow(`config is "0.1.0"`);
  });
});

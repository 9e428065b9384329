import { readPortmapConfig } from "./config.ts";

test("conditions of the reference are refused, and empty ones and its marks are not", () => {
  for (const key of ["conditionsV4", "conditionsV6"]) {
    expect(() => readPortmapConfig({ [key]: ["!", "-d", "192.0.2.0/24"] })).toThrow(
      expect.objectContaining({ code: "unsupported-field", object: key }),
    );
  }
  const kept = {
    conditionsV4: [],
    markMasqBit: 14,
    externalSetMarkChain: "KUBE-MARK-MASQ",
    backend: "iptables",
  };
  expect(readPortmapConfig(kept)).toMatchObject({ snat: true, masqAll: false, hostBinding: null });
  expect(() => readPortmapConfig({ hostBinding: "eth0" })).toThrow("hostBinding");
});

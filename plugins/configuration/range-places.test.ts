import { type ErrorCode, FairleadError } from "../../lib/errors.ts";
import { asConfigurationFault, inPlacesOf } from "./range-places.ts";

const declared = {
  rangeSetPlaces: [
    { path: "runtimeConfig.ipRanges[0]", isList: true },
    { path: "ipam", isList: false },
    { path: "ipam.ranges[0]", isList: true },
    { path: "ipam.ranges[1]", isList: true },
  ],
};

test.each([
  ["rangeSets[0][1].subnet", "runtimeConfig.ipRanges[0][1].subnet"],
  ["rangeSets[1][0].rangeEnd", "ipam.rangeEnd"],
  ["rangeSets[1][0]", "ipam"],
  ["rangeSets[2][3].exclude[1]", "ipam.ranges[0][3].exclude[1]"],
  ["rangeSets[3]", "ipam.ranges[1]"],
  ["body.declaration.rangeSets.3.12.gateway", "ipam.ranges[1][12].gateway"],
  ["body.declaration.rangeSets.1.0.subnet", "ipam.subnet"],
  ["rangeSets[2][0] overlaps rangeSets[3][1].", "ipam.ranges[0][0] overlaps ipam.ranges[1][1]."],
  ["rangeSets[4][0] was not asked for", "rangeSets[4][0] was not asked for"],
])("%s is %s in the configuration", (text, expected) => {
  expect(inPlacesOf(declared, text)).toBe(expected);
});

const refusal = (code: ErrorCode, details: Record<string, unknown>) =>
  new FairleadError({
    code,
    operation: "read subnet",
    object: "there",
    reason: "it overlaps rangeSets[3][1]",
    hint: "mend it",
    details,
  });

test.each([
  ["rangeSets[2][0].rangeEnd", "ipam.ranges[0][0].rangeEnd"],
  ["coolingSeconds", "ipam.coolingSeconds"],
  ["body.declaration.addressSpace", "ipam.addressSpace"],
])("a refusal of %s is a fault of %s", (field, path) => {
  const error = refusal("invalid-config", { field, rule: "x" });
  expect(asConfigurationFault(declared, error)).toMatchObject({
    code: "invalid-config",
    message: `read network configuration ${path}: it overlaps ipam.ranges[1][1]; mend it`,
    details: { field: path, rule: "x" },
    cause: error,
  });
});

test.each([
  ["of another field", refusal("invalid-config", { field: "containerId" })],
  ["without a field", refusal("invalid-config", {})],
  ["of another kind", refusal("in-use", { field: "rangeSets[0][0]" })],
])("a refusal %s stays as it is", (_, error) => {
  expect(asConfigurationFault(declared, error)).toBe(error);
});
